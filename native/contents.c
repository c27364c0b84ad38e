// capabilities, contents: what is to be known of many files before they are packed, of which Node.js reads one at a time or nothing.
//
// Both read paths relative to ROOT, each ended by a NUL. `capabilities ROOT` answers an 'x' with path and value for each
// that has security.capability. `contents ROOT` does so too and reads the files, on all cores: 'd's have any number of
// {u32 number of the path, u64 size, sha256}, in no order, for regular files that could be read to the size they had when
// they were opened; whoever asks reads the others itself and meets what is wrong. At last comes a 'z'. Nothing is
// followed at the end of a path; what is not there any more has nothing.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "frame.h"
#include "sha256.h"

int cmd_capabilities(int argc, char **argv);
int cmd_contents(int argc, char **argv);

enum { MAX_THREADS = 16, PATHS_AT_ONCE = 32, PIECE_SIZE = 256 << 10 };

// Paths as they arrive; workers take the next few of them, and answer one at a time.
static struct {
  pthread_mutex_t mutex, answering;
  pthread_cond_t some;
  const char **paths;
  size_t count, capacity, taken;
  int has_ended, reads_contents;
} work = {.mutex = PTHREAD_MUTEX_INITIALIZER, .answering = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

static struct writer answers;

static void answer_capability(const char *path) {
  // The kernel clears as many bytes for each call, and takes no value longer than 24: https://man7.org/linux/man-pages/man7/capabilities.7.html
  char value[64];
  ssize_t size = lgetxattr(path, "security.capability", value, sizeof value);
  if (size < 0) {
    // Without the right to look, the file cannot be read either, which is told where that is tried.
    if (errno == ENODATA || errno == ENOTSUP || errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == EPERM) return;
    die_errno("Cannot read the capabilities of \"%s\"", path);
  }
  pthread_mutex_lock(&work.answering);
  begin_frame(&answers, 'x');
  put_string(&answers, path);
  put_bytes(&answers, value, (uint32_t)size);
  end_frame(&answers);
  pthread_mutex_unlock(&work.answering);
}

struct content {
  uint32_t number;
  uint64_t size;
  uint8_t digest[SHA256_SIZE];
};

static int read_content(int fd, uint64_t size, uint8_t *piece, uint8_t digest[SHA256_SIZE]) {
  struct sha256 hash;
  sha256_start(&hash);
  while (size > 0) {
    ssize_t n = read(fd, piece, size < PIECE_SIZE ? (size_t)size : PIECE_SIZE);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    sha256_update(&hash, piece, (size_t)n);
    size -= (uint64_t)n;
  }
  sha256_finish(&hash, digest);
  return 1;
}

static int find_content(const char *path, uint8_t *piece, struct content *content) {
  // A pipe put in a file's place must not make this wait for its other end.
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return 0;
  struct stat status;
  int is_found = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  if (is_found) {
    content->size = (uint64_t)status.st_size;
    is_found = read_content(fd, content->size, piece, content->digest);
  }
  close(fd);
  return is_found;
}

static void answer_contents(const struct content *contents, size_t count) {
  if (count == 0) return;
  pthread_mutex_lock(&work.answering);
  begin_frame(&answers, 'd');
  for (size_t i = 0; i < count; i++) {
    put_u32(&answers, contents[i].number);
    put_u64(&answers, contents[i].size);
    put_raw(&answers, contents[i].digest, SHA256_SIZE);
  }
  end_frame(&answers);
  pthread_mutex_unlock(&work.answering);
}

static void *do_work(void *unused) {
  const char *paths[PATHS_AT_ONCE];
  struct content contents[PATHS_AT_ONCE];
  uint8_t *piece = allocate(PIECE_SIZE);
  for (;;) {
    pthread_mutex_lock(&work.mutex);
    while (work.taken == work.count && !work.has_ended) pthread_cond_wait(&work.some, &work.mutex);
    // Fewer towards the end, so that a large file keeps no others waiting.
    size_t first = work.taken, count = (work.count - first + MAX_THREADS - 1) / MAX_THREADS;
    if (count > PATHS_AT_ONCE) count = PATHS_AT_ONCE;
    work.taken += count;
    // The list may move while it grows.
    memcpy(paths, work.paths + first, count * sizeof *paths);
    pthread_mutex_unlock(&work.mutex);
    if (count == 0) break;
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
      answer_capability(paths[i]);
      contents[found].number = (uint32_t)(first + i);
      if (work.reads_contents && find_content(paths[i], piece, &contents[found])) found++;
    }
    answer_contents(contents, found);
  }
  free(piece);
  return unused;
}

static void add_path(const char *path) {
  pthread_mutex_lock(&work.mutex);
  if (work.count == work.capacity) {
    work.capacity = work.capacity ? 2 * work.capacity : 1024;
    work.paths = reallocate(work.paths, work.capacity * sizeof *work.paths);
  }
  work.paths[work.count++] = path;
  pthread_cond_signal(&work.some);
  pthread_mutex_unlock(&work.mutex);
}

static unsigned count_threads(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > MAX_THREADS ? MAX_THREADS : (unsigned)count;
}

static int do_all(int argc, char **argv, int reads_contents) {
  enum { INPUT_SIZE = 1 << 16 };
  pthread_t threads[MAX_THREADS];
  unsigned started = 0, most = count_threads();
  size_t used = 0, capacity = 0;
  char *input = NULL;
  if (argc != 2) die("usage: slipway-helper %s ROOT", argv[0]);
  if (chdir(argv[1])) die_errno("Cannot enter \"%s\"", argv[1]);
  work.reads_contents = reads_contents;
  writer_open(&answers, STDOUT_FILENO);
  for (;;) {
    // Paths stay where they were read; what is left of the last one goes on in a new place.
    if (capacity - used < INPUT_SIZE / 2) {
      char *more = allocate(capacity = used + INPUT_SIZE);
      if (used > 0) memcpy(more, input, used);
      input = more;
    }
    ssize_t n = read(STDIN_FILENO, input + used, capacity - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("Cannot read from the builder");
    if (n == 0) break;
    used += (size_t)n;
    char *end;
    while ((end = memchr(input, 0, used))) {
      size_t size = (size_t)(end + 1 - input);
      add_path(input);
      input += size, used -= size, capacity -= size;
    }
    while (started < most && started < work.count) {
      int error = pthread_create(&threads[started++], NULL, do_work, NULL);
      if (error) die("Cannot start a thread: %s", strerror(error));
    }
  }
  if (used) die("Cannot read from the builder: its last path does not end");
  pthread_mutex_lock(&work.mutex);
  work.has_ended = 1;
  pthread_cond_broadcast(&work.some);
  pthread_mutex_unlock(&work.mutex);
  for (unsigned i = 0; i < started; i++) pthread_join(threads[i], NULL);
  begin_frame(&answers, 'z');
  end_frame(&answers);
  flush_writer(&answers);
  return 0;
}

int cmd_capabilities(int argc, char **argv) { return do_all(argc, argv, 0); }

int cmd_contents(int argc, char **argv) { return do_all(argc, argv, 1); }
