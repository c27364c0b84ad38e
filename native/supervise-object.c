// Does a call in the command's place: on the machine's own object where it is a file, on a mirror where it is a directory.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "supervise.h"

enum { TMPFS = 0x01021994 };

// Holds the object without opening it, so that whatever is then decided is decided of this one.
static int hold(enum tree tree, const struct object *object, int follow) {
  int is_followed = object->is_link || (tree == TREE_SYS && follow);
  int fd = openat(object->base, object->name, O_PATH | O_CLOEXEC | (is_followed ? 0 : O_NOFOLLOW));
  struct stat now;
  if (fd >= 0 && object->is_masked && (fstatat(fd, "", &now, AT_EMPTY_PATH) || !S_ISDIR(now.st_mode))) {
    close(fd);
    return openat(outside.dev, "null", O_PATH | O_CLOEXEC);
  }
  if (fd < 0 || !object->rest) return fd;
  int below = openat(fd, object->rest, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)), error = errno;
  close(fd);
  errno = error;
  return below;
}

static int reopen(int held, int flags) {
  char path[32];
  snprintf(path, sizeof path, "self/fd/%d", held);
  return openat(outside.proc, path, flags);
}

// Whether the object is the kernel's own, rather than something of the command's that a link in /proc leads to.
static int is_kernels(const struct object *object) { return !object->is_link && !object->rest; }

// What a descriptor of the command leads to may be written only where the command might have opened it so by itself: not
// what it was given of /proc and /sys.
static int may_write(const struct object *object, int held, const struct stat *now) {
  struct statfs fs;
  if (is_kernels(object)) return object->is_writable;
  if (!S_ISREG(now->st_mode)) return 1;
  return !fstatfs(held, &fs) && ((long)fs.f_type == outside.root_type || fs.f_type == TMPFS);
}

// The directory's name in the mirror; in /sys the one that all links lead to.
static int open_directory(enum tree tree, const struct object *object, int held, int filled, int flags) {
  char name[PATH_MAX], path[32];
  if (tree == TREE_PROC) return open_mirror(tree, object->name, held, filled && !object->is_masked, flags);
  snprintf(path, sizeof path, "self/fd/%d", held);
  ssize_t n = readlinkat(outside.proc, path, name, sizeof name - 1);
  if (n <= 0) return -1;
  name[n] = 0;
  return strncmp(name, "/sys", 4) ? -1 : open_mirror(tree, name[4] ? name + 5 : ".", held, filled && !object->is_masked, flags);
}

// Nothing here may wait: with O_NONBLOCK even a pipe does not.
static int open_file(const struct call *call, enum tree tree, const struct object *object, int held, const struct stat *now, int flags) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
  if (flags & O_CREAT && flags & O_EXCL) return errno = EEXIST, -1;
  if (S_ISLNK(now->st_mode) && !(flags & O_PATH)) return errno = ELOOP, -1;
  if (S_ISDIR(now->st_mode) && is_kernels(object)) {
    if (writes || flags & O_CREAT) return errno = EISDIR, -1;
    expect_directories(0);
    return open_directory(tree, object, held, !(flags & O_PATH), flags);
  }
  if (flags & O_DIRECTORY && !S_ISDIR(now->st_mode)) return errno = ENOTDIR, -1;
  if (flags & O_PATH) return fcntl(held, F_DUPFD_CLOEXEC, 0);
  if (writes && !may_write(object, held, now)) return errno = EROFS, -1;
  if (object->kind == TERMINAL) return open_terminal_of(call);
  if (object->is_text) return write_mounts(object->name);
  int kept = flags & (O_ACCMODE | O_APPEND | O_TRUNC | O_DIRECT | O_LARGEFILE | O_NOATIME | O_SYNC | O_DIRECTORY);
  int fd = reopen(held, kept | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && object->is_terminal_maker) remember_terminal(fd);
  if (fd >= 0) fcntl(fd, F_SETFL, kept | (flags & O_NONBLOCK));
  return fd;
}

static int get_status(enum tree tree, const struct object *object, int held, struct stat *now) {
  if (fstatat(held, "", now, AT_EMPTY_PATH)) return -1;
  if (!S_ISDIR(now->st_mode) || !is_kernels(object) || tree == TREE_DEV) return 0;
  // Programs compare a directory with the descriptor that they have opened of it.
  struct stat mirror;
  int fd = open_directory(tree, object, held, 0, O_PATH);
  if (fd < 0) return 0;
  if (!fstatat(fd, "", &mirror, AT_EMPTY_PATH)) {
    now->st_dev = mirror.st_dev;
    now->st_ino = mirror.st_ino;
  }
  close(fd);
  return 0;
}

void answer_data(const struct call *call, const struct handed_call *what, const void *data, size_t size) {
  answer_call(call, 0, write_memory(call, call->arguments[what->more], data, size) ? EFAULT : 0);
}

static void answer_link(const struct call *call, const struct handed_call *what, const char *text, size_t size) {
  uint64_t room = call->arguments[what->more + 1];
  if (room < size) size = room;
  if ((int32_t)room <= 0) answer_call(call, 0, EINVAL);
  else if (write_memory(call, call->arguments[what->more], text, size)) answer_call(call, 0, EFAULT);
  else answer_call(call, (int64_t)size, 0);
}

void answer_status(const struct call *call, const struct handed_call *what, const struct stat *now, int held) {
  if (what->operation != STATX) return answer_data(call, what, now, sizeof *now);
  struct statx more;
  if (statx(held, "", AT_EMPTY_PATH, (unsigned)call->arguments[3], &more)) return answer_call(call, 0, errno);
  more.stx_mode = (uint16_t)now->st_mode;
  more.stx_size = (uint64_t)now->st_size;
  more.stx_blocks = (uint64_t)now->st_blocks;
  more.stx_ino = now->st_ino;
  more.stx_dev_major = major(now->st_dev);
  more.stx_dev_minor = minor(now->st_dev);
  answer_data(call, what, &more, sizeof more);
}

static void serve_open(const struct call *call, enum tree tree, const struct object *object, int held, int flags) {
  struct stat now;
  if (fstatat(held, "", &now, AT_EMPTY_PATH)) return answer_call(call, 0, errno);
  int fd = open_file(call, tree, object, held, &now, flags);
  if (fd < 0) return answer_call(call, 0, errno);
  hand_in(call, fd, flags);
  close(fd);
}

static void serve_short_link(const struct call *call, const struct handed_call *what, const struct object *object) {
  struct stat now = {.st_mode = S_IFLNK | 0777, .st_nlink = 1, .st_dev = outside.root.st_dev, .st_ino = 2, .st_size = 0};
  struct statx more = {.stx_mask = STATX_BASIC_STATS, .stx_mode = S_IFLNK | 0777, .stx_nlink = 1, .stx_ino = 2};
  switch (what->operation) {
    case READ_LINK: return answer_link(call, what, object->name, strlen(object->name));
    case STATX: return answer_data(call, what, &more, sizeof more);
    case STAT:
    case LINK_STAT:
    case STAT_FLAGS: return answer_data(call, what, &now, sizeof now);
    case ACCESS: return answer_call(call, 0, 0);
    case LINK_ATTRIBUTES: return answer_call(call, 0, EOPNOTSUPP);
    default: return answer_call(call, 0, ELOOP);
  }
}

void answer_access(const struct call *call, const struct handed_call *what, int held, int is_writable) {
  int mode = (int)call->arguments[what->more];
  char path[32];
  if (mode & W_OK && !is_writable) return answer_call(call, 0, EROFS);
  snprintf(path, sizeof path, "self/fd/%d", held);
  answer_call(call, 0, faccessat(outside.proc, path, mode, 0) ? errno : 0);
}

// Of a file of the command's own that a link in /proc leads to, or of its terminal; nothing of the kernel's.
static void serve_change(const struct call *call, const struct handed_call *what, const struct object *object, int held) {
  const uint64_t *more = call->arguments + what->more;
  char path[32];
  struct stat now;
  struct timespec times[2];
  int is_terminal = object->base == outside.dev && !strncmp(object->name, "pts/", 4) && !object->is_terminal_maker;
  if (fstatat(held, "", &now, AT_EMPTY_PATH)) return answer_call(call, 0, errno);
  if ((is_kernels(object) && !is_terminal) || !may_write(object, held, &now)) return answer_call(call, 0, EPERM);
  if (what->operation == CHANGE_TIMES && *more && read_memory(call, *more, times, sizeof times)) return answer_call(call, 0, EFAULT);
  snprintf(path, sizeof path, "self/fd/%d", held);
  int failed;
  switch (what->operation) {
    case CHANGE_MODE: failed = fchmodat(outside.proc, path, (mode_t)*more, 0); break;
    case CHANGE_TIMES: failed = utimensat(outside.proc, path, *more ? times : NULL, 0); break;
    default: failed = fchownat(outside.proc, path, (uid_t)more[0], (gid_t)more[1], 0);
  }
  answer_call(call, 0, failed ? errno : 0);
}

static void serve_held(const struct call *call, const struct handed_call *what, enum tree tree, const struct object *object, int held,
                       int flags) {
  char link[PATH_MAX];
  struct statfs fs;
  struct stat now;
  ssize_t n;
  int directory;
  switch (what->operation) {
    case OPEN:
    case OPEN_HOW: return serve_open(call, tree, object, held, flags);
    case STAT:
    case LINK_STAT:
    case STAT_FLAGS:
    case STATX:
      if (get_status(tree, object, held, &now)) return answer_call(call, 0, errno);
      return answer_status(call, what, &now, held);
    case ACCESS:
      if (fstatat(held, "", &now, AT_EMPTY_PATH)) return answer_call(call, 0, errno);
      return answer_access(call, what, held, may_write(object, held, &now));
    case READ_LINK:
      n = readlinkat(held, "", link, sizeof link);
      if (n < 0) return answer_call(call, 0, errno == ENOENT ? EINVAL : errno);
      return answer_link(call, what, link, (size_t)n);
    case FILE_SYSTEM:
      if (fstatfs(held, &fs)) return answer_call(call, 0, errno);
      return answer_data(call, what, &fs, sizeof fs);
    case ENTER:
      expect_directories(1);
      directory = is_kernels(object) ? open_directory(tree, object, held, 1, O_PATH) : -1;
      if (directory >= 0) close(directory);
      return pass_on(call);
    case ATTRIBUTES:
    case LINK_ATTRIBUTES: return answer_call(call, 0, EOPNOTSUPP);
    case CHANGE_MODE:
    case CHANGE_OWNER:
    case CHANGE_LINK_OWNER:
    case CHANGE_TIMES: return serve_change(call, what, object, held);
    case EXECUTE:
      mirror_program(object);
      return pass_on(call);
  }
}

void serve_object(const struct call *call, const struct handed_call *what, enum tree tree, const struct object *object, int follow, int flags) {
  if (object->kind == KERNELS_OWN) {
    if (what->operation == ENTER) expect_directories(1);
    return pass_on(call);
  }
  if (object->kind == MISSING) return answer_call(call, 0, ENOENT);
  if (object->kind == SHORT_LINK) return serve_short_link(call, what, object);
  int held = hold(tree, object, follow);
  // The number may have become another process's meanwhile: that is not told, the call is gone.
  if (held < 0) return answer_call(call, 0, errno);
  if (is_waiting(call)) serve_held(call, what, tree, object, held, flags);
  close(held);
}
