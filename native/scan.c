// scan: says what is below a directory, with all that lstat and the extended attributes tell, in the order of a layer.
//
// scan [--one-file-system] [--skip-below PATH]… ROOT answers an 'e' for the root (path "") and for each object below it:
// directories before what they hold, names in a directory by their bytes; then 'z'. Nothing is followed.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "frame.h"

int cmd_scan(int argc, char **argv);

static struct writer out;
static struct {
  char *text;
  size_t length, capacity;
} path;
static char **skipped;
static size_t skipped_count;
static int stays_on_device;
static dev_t device;

static size_t push_name(const char *name) {
  size_t before = path.length, length = strlen(name);
  if (path.length + length + 2 > path.capacity) {
    path.capacity = 2 * path.capacity + length + 256;
    path.text = reallocate(path.text, path.capacity);
  }
  if (path.length) path.text[path.length++] = '/';
  memcpy(path.text + path.length, name, length + 1);
  path.length += length;
  return before;
}

static void pop_name(size_t length) {
  path.length = length;
  path.text[length] = 0;
}

// The names and values of the object `name` of the current directory.
static void put_xattrs(const char *name) {
  static char *names, *value;
  static size_t names_capacity, value_capacity;
  ssize_t size, got;
  while ((size = llistxattr(name, names, names_capacity)) < 0 && errno == ERANGE) {
    names_capacity = names_capacity * 2 + 1024;
    names = reallocate(names, names_capacity);
  }
  // With no room at all the call answers the size that it needs.
  if (size > 0 && (size_t)size > names_capacity) {
    names_capacity = (size_t)size + 1024;
    names = reallocate(names, names_capacity);
    size = llistxattr(name, names, names_capacity);
  }
  if (size < 0 && errno != ENOTSUP && errno != ENOENT && errno != EPERM) die_errno("Cannot list the extended attributes of \"%s\"", path.text);
  size_t at = out.used;
  uint32_t count = 0;
  put_u32(&out, 0);
  for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
    if (!value) value = allocate(value_capacity = 1 << 12);
    while ((got = lgetxattr(name, names + i, value, value_capacity)) < 0 && errno == ERANGE) {
      value_capacity *= 2;
      value = reallocate(value, value_capacity);
    }
    if (got < 0) continue;
    put_string(&out, names + i);
    put_bytes(&out, value, (uint32_t)got);
    count++;
  }
  for (int i = 0; i < 4; i++) out.data[at + (size_t)i] = (uint8_t)(count >> (8 * i));
}

static void put_entry(const char *name, const struct stat *st) {
  static char link[1 << 16];
  begin_frame(&out, 'e');
  put_bytes(&out, path.text, (uint32_t)path.length);
  put_u32(&out, st->st_mode);
  put_u32(&out, st->st_uid);
  put_u32(&out, st->st_gid);
  put_u32(&out, (uint32_t)st->st_nlink);
  put_u64(&out, (uint64_t)st->st_size);
  put_u64(&out, (uint64_t)st->st_mtim.tv_sec);
  put_u32(&out, (uint32_t)st->st_mtim.tv_nsec);
  put_u64(&out, (uint64_t)st->st_ctim.tv_sec);
  put_u32(&out, (uint32_t)st->st_ctim.tv_nsec);
  put_u64(&out, st->st_ino);
  put_u64(&out, st->st_dev);
  put_u32(&out, major(st->st_rdev));
  put_u32(&out, minor(st->st_rdev));
  ssize_t length = S_ISLNK(st->st_mode) ? readlink(name, link, sizeof link) : 0;
  if (length < 0) die_errno("Cannot read the symbolic link \"%s\"", path.text);
  put_bytes(&out, link, (uint32_t)length);
  put_xattrs(name);
  end_frame(&out);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int is_skipped(void) {
  for (size_t i = 0; i < skipped_count; i++)
    if (!strcmp(skipped[i], path.text)) return 1;
  return 0;
}

// Takes over `fd`, which is the current directory.
static void scan_directory(int fd) {
  DIR *directory = fdopendir(fd);
  if (!directory) die_errno("Cannot read \"%s\"", path.text);
  char **names = NULL;
  size_t count = 0, capacity = 0;
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(directory);
    if (!entry && errno) die_errno("Cannot read \"%s\"", path.text);
    if (!entry) break;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (count == capacity) {
      capacity = capacity * 2 + 16;
      names = reallocate(names, capacity * sizeof *names);
    }
    if (!(names[count++] = strdup(entry->d_name))) die("Cannot allocate a name");
  }
  qsort(names, count, sizeof *names, by_bytes);
  for (size_t i = 0; i < count; i++) {
    struct stat st;
    size_t before = push_name(names[i]);
    if (!fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW)) {
      put_entry(names[i], &st);
      if (S_ISDIR(st.st_mode) && (!stays_on_device || st.st_dev == device) && !is_skipped()) {
        int child = openat(fd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 || fchdir(child)) die_errno("Cannot enter \"%s\"", path.text);
        scan_directory(child);
        if (fchdir(fd)) die_errno("Cannot go back from \"%s\"", path.text);
      }
    } else if (errno != ENOENT) {
      die_errno("Cannot look at \"%s\"", path.text);
    }
    pop_name(before);
    free(names[i]);
  }
  free(names);
  closedir(directory);
}

int cmd_scan(int argc, char **argv) {
  int i = 1;
  skipped = allocate((size_t)argc * sizeof *skipped);
  for (; i < argc - 1; i++) {
    if (!strcmp(argv[i], "--one-file-system")) stays_on_device = 1;
    else if (!strcmp(argv[i], "--skip-below") && i + 1 < argc - 1) skipped[skipped_count++] = argv[++i];
    else break;
  }
  if (i != argc - 1) die("usage: slipway-helper scan [--one-file-system] [--skip-below PATH]… ROOT");
  struct rlimit limit;
  if (!getrlimit(RLIMIT_NOFILE, &limit)) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  struct stat st;
  int fd = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fchdir(fd) || fstat(fd, &st)) die_errno("Cannot scan \"%s\"", argv[i]);
  device = st.st_dev;
  writer_open(&out, STDOUT_FILENO);
  path.text = allocate(path.capacity = 4096);
  pop_name(0);
  put_entry(".", &st);
  scan_directory(fd);
  begin_frame(&out, 'z');
  end_frame(&out);
  flush_writer(&out);
  return 0;
}
