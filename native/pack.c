// slipway-helper pack FILE LEVEL: writes a layer's tar, compressed, to a new file; reads contents, hashes and compresses on all cores.
//
// In: literal bytes of the tar, files whose content comes next, and an end. Out: the sha256 of each file in order, and at
// last the result; or the name of a file that is not as announced. Each block of a MiB becomes a gzip member of its own,
// so the bytes do not depend on how many threads there are. The compressor's id names the library, the level, the block
// ("b1m") and the rule by which blocks that would not shrink are stored ("s1").
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "sha256.h"

enum { IN_LITERAL = 'L', IN_FILE = 'F', IN_END = 'Z' };
enum { OUT_DIGESTS = 'd', OUT_RESULT = 'r', OUT_CHANGED = 'c' };
enum { BLOCK_SIZE = 1 << 20, MAX_THREADS = 16, DIGESTS_AT_ONCE = 128 };

struct slot {
  uint8_t *in, *out;
  size_t in_size, out_size;
  int is_done;
};

// A ring: blocks are filled, taken and written in order; `is_done` tells which of those taken are compressed.
static struct {
  pthread_mutex_t mutex;
  pthread_cond_t filled_some, done_some, written_some;
  struct slot slots[MAX_THREADS + 4];
  unsigned count;
  uint64_t filled, taken, written;
  int has_ended;
} ring = {.mutex = PTHREAD_MUTEX_INITIALIZER,
          .filled_some = PTHREAD_COND_INITIALIZER,
          .done_some = PTHREAD_COND_INITIALIZER,
          .written_some = PTHREAD_COND_INITIALIZER};

static struct {
  const char *path;
  int fd, level;
  size_t bound;
  struct sha256 tar, blob;
} output;

enum { SAMPLE_COUNT = 64, SAMPLE_SIZE = 1024, PROBE_COUNT = 2, PROBE_SIZE = 64 << 10 };

// Whether the bytes of samples all over a block are spread as evenly as those of random data. Integers alone, so that every machine decides alike.
static int looks_random(const uint8_t *block) {
  uint32_t counts[256] = {0};
  for (size_t i = 0; i < SAMPLE_COUNT; i++)
    for (size_t j = 0; j < SAMPLE_SIZE; j++) counts[block[i * (BLOCK_SIZE / SAMPLE_COUNT) + j]]++;
  uint64_t squares = 0, total = SAMPLE_COUNT * SAMPLE_SIZE;
  for (int i = 0; i < 256; i++) squares += (uint64_t)counts[i] * counts[i];
  return squares * 256 * 50 < total * total * 51;
}

// Random, encrypted and most compressed data: 30 % of the time of a layer that is 30 % random went into finding that nothing can be saved, with this 3 %.
static int is_incompressible(struct libdeflate_compressor *quick, const struct slot *slot) {
  if (slot->in_size < BLOCK_SIZE || !looks_random(slot->in)) return 0;
  size_t size = 0;
  for (size_t i = 0; i < PROBE_COUNT; i++) {
    const uint8_t *probe = slot->in + i * (BLOCK_SIZE / PROBE_COUNT) + BLOCK_SIZE / 8;
    size_t part = libdeflate_deflate_compress(quick, probe, PROBE_SIZE, slot->out, output.bound);
    size += part ? part : PROBE_SIZE;
  }
  return size * 100 > (size_t)PROBE_COUNT * PROBE_SIZE * 99;
}

static struct slot *slot_at(uint64_t number) { return &ring.slots[number % ring.count]; }

static struct libdeflate_compressor *open_compressor(int level) {
  struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
  if (!compressor) die("Cannot allocate a compressor of level %d", level);
  return compressor;
}

static void *compress_blocks(void *unused) {
  struct libdeflate_compressor *compressor = open_compressor(output.level), *quick = open_compressor(1), *store = open_compressor(0);
  pthread_mutex_lock(&ring.mutex);
  for (;;) {
    while (ring.taken == ring.filled && !ring.has_ended) pthread_cond_wait(&ring.filled_some, &ring.mutex);
    if (ring.taken == ring.filled) break;
    struct slot *slot = slot_at(ring.taken++);
    pthread_mutex_unlock(&ring.mutex);
    struct libdeflate_compressor *chosen = is_incompressible(quick, slot) ? store : compressor;
    slot->out_size = libdeflate_gzip_compress(chosen, slot->in, slot->in_size, slot->out, output.bound);
    if (slot->out_size == 0) die("Cannot compress a block of %zu bytes", slot->in_size);
    pthread_mutex_lock(&ring.mutex);
    slot->is_done = 1;
    pthread_cond_signal(&ring.done_some);
  }
  pthread_mutex_unlock(&ring.mutex);
  return unused;
}

static void write_block(const struct slot *slot) {
  for (size_t put = 0; put < slot->out_size;) {
    ssize_t n = write(output.fd, slot->out + put, slot->out_size - put);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("Cannot write \"%s\"", output.path);
    put += (size_t)n;
  }
}

static void *write_blocks(void *unused) {
  pthread_mutex_lock(&ring.mutex);
  for (;;) {
    struct slot *slot = slot_at(ring.written);
    while (!slot->is_done && !(ring.has_ended && ring.written == ring.filled)) pthread_cond_wait(&ring.done_some, &ring.mutex);
    if (!slot->is_done) break;
    pthread_mutex_unlock(&ring.mutex);
    sha256_update(&output.tar, slot->in, slot->in_size);
    sha256_update(&output.blob, slot->out, slot->out_size);
    write_block(slot);
    pthread_mutex_lock(&ring.mutex);
    slot->is_done = 0;
    ring.written++;
    pthread_cond_signal(&ring.written_some);
  }
  pthread_mutex_unlock(&ring.mutex);
  return unused;
}

// The block that is being filled; only the thread that reads the input touches it.
static struct slot *current;

static void begin_block(void) {
  pthread_mutex_lock(&ring.mutex);
  while (ring.filled - ring.written >= ring.count) pthread_cond_wait(&ring.written_some, &ring.mutex);
  pthread_mutex_unlock(&ring.mutex);
  current = slot_at(ring.filled);
  current->in_size = 0;
}

static void end_block(void) {
  pthread_mutex_lock(&ring.mutex);
  ring.filled++;
  pthread_cond_signal(&ring.filled_some);
  pthread_mutex_unlock(&ring.mutex);
  current = NULL;
}

// Where to put the next bytes of the tar; at least one and at most `wanted` have room.
static uint8_t *room(size_t *wanted) {
  if (!current) begin_block();
  size_t left = BLOCK_SIZE - current->in_size;
  if (*wanted > left) *wanted = left;
  return current->in + current->in_size;
}

static void advance(size_t size) {
  current->in_size += size;
  if (current->in_size == BLOCK_SIZE) end_block();
}

static void add_literal(const uint8_t *at, size_t size) {
  while (size > 0) {
    size_t part = size;
    uint8_t *to = room(&part);
    memcpy(to, at, part);
    advance(part);
    at += part, size -= part;
  }
}

static struct writer answers;
static uint8_t digests[DIGESTS_AT_ONCE * SHA256_SIZE];
static size_t digests_size;

static void flush_digests(void) {
  if (digests_size == 0) return;
  begin_frame(&answers, OUT_DIGESTS);
  put_raw(&answers, digests, digests_size);
  end_frame(&answers);
  flush_writer(&answers);
  digests_size = 0;
}

static _Noreturn void die_changed(const char *path) {
  begin_frame(&answers, OUT_CHANGED);
  put_raw(&answers, path, strlen(path));
  end_frame(&answers);
  flush_writer(&answers);
  die("\"%s\" changed", path);
}

static int open_content(const char *path, uint64_t end) {
  // A pipe put in a file's place must not make this wait for its other end.
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) die_changed(path);
  if (fd < 0) die_errno("Cannot read \"%s\"", path);
  struct stat status;
  if (fstat(fd, &status) < 0) die_errno("Cannot read \"%s\"", path);
  if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size < end) die_changed(path);
  return fd;
}

static void add_file(struct frame *frame) {
  uint64_t offset = take_u64(frame), size = take_u64(frame);
  const char *path = take_string(frame);
  int fd = open_content(path, offset + size);
  struct sha256 hash;
  sha256_start(&hash);
  while (size > 0) {
    size_t part = size < BLOCK_SIZE ? (size_t)size : BLOCK_SIZE;
    uint8_t *at = room(&part);
    ssize_t n = pread(fd, at, part, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("Cannot read \"%s\"", path);
    if (n == 0) die_changed(path);
    sha256_update(&hash, at, (size_t)n);
    advance((size_t)n);
    offset += (uint64_t)n, size -= (uint64_t)n;
  }
  close(fd);
  sha256_finish(&hash, digests + digests_size);
  digests_size += SHA256_SIZE;
  if (digests_size == sizeof digests) flush_digests();
}

static void read_input(void) {
  struct reader reader;
  struct frame frame;
  reader_open(&reader, STDIN_FILENO);
  while (read_frame(&reader, &frame)) {
    if (frame.kind == IN_END) return;
    if (frame.kind == IN_LITERAL)
      add_literal(frame.at, (size_t)(frame.end - frame.at));
    else if (frame.kind == IN_FILE)
      add_file(&frame);
    else
      die("Cannot pack: message %u is unknown", frame.kind);
  }
  die("Cannot pack: the builder ended early");
}

static void put_result(void) {
  uint8_t digest[SHA256_SIZE];
  char id[64];
  begin_frame(&answers, OUT_RESULT);
  sha256_finish(&output.tar, digest);
  put_raw(&answers, digest, sizeof digest);
  uint64_t size = output.blob.size;
  sha256_finish(&output.blob, digest);
  put_raw(&answers, digest, sizeof digest);
  put_u64(&answers, size);
  put_raw(&answers, id, (size_t)snprintf(id, sizeof id, "libdeflate-%s-gzip-%d-b1m-s1", LIBDEFLATE_VERSION_STRING, output.level));
  end_frame(&answers);
  flush_writer(&answers);
}

static unsigned count_threads(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > MAX_THREADS ? MAX_THREADS : (unsigned)count;
}

static void start_thread(pthread_t *thread, void *(*function)(void *)) {
  int error = pthread_create(thread, NULL, function, NULL);
  if (error) die("Cannot start a thread: %s", strerror(error));
}

int cmd_pack(int argc, char **argv) {
  if (argc != 3) die("usage: pack FILE LEVEL");
  output.path = argv[1];
  output.level = atoi(argv[2]);
  output.fd = open(output.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (output.fd < 0) die_errno("Cannot write \"%s\"", output.path);
  output.bound = libdeflate_gzip_compress_bound(NULL, BLOCK_SIZE);
  sha256_start(&output.tar);
  sha256_start(&output.blob);
  writer_open(&answers, STDOUT_FILENO);

  unsigned threads = count_threads();
  ring.count = threads + 4;
  for (unsigned i = 0; i < ring.count; i++) {
    ring.slots[i].in = allocate(BLOCK_SIZE);
    ring.slots[i].out = allocate(output.bound);
  }
  pthread_t compressors[MAX_THREADS], writer;
  for (unsigned i = 0; i < threads; i++) start_thread(&compressors[i], compress_blocks);
  start_thread(&writer, write_blocks);

  read_input();
  if (current) end_block();
  flush_digests();
  pthread_mutex_lock(&ring.mutex);
  ring.has_ended = 1;
  pthread_cond_broadcast(&ring.filled_some);
  pthread_cond_signal(&ring.done_some);
  pthread_mutex_unlock(&ring.mutex);
  for (unsigned i = 0; i < threads; i++) pthread_join(compressors[i], NULL);
  pthread_join(writer, NULL);
  if (close(output.fd) < 0) die_errno("Cannot write \"%s\"", output.path);
  put_result();
  return 0;
}
