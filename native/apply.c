// apply: writes files, links and devices below one directory as the builder says, and nowhere else.
// apply [--record] ROOT
//
// Paths are relative to the root, and no component of them is ever followed if it is a symlink: the builder has resolved
// them in its tree. What is in the way is removed first, so that nothing is written through what was there before.
// Messages, in their order: see the switch at the end. The last one must be 'Z'; directories get their attributes near
// the end, when nothing touches their times any more. With --record owners, devices and what else only root may make are
// recorded instead.
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

#include "apply.h"
#include "frame.h"
#include "record.h"

int cmd_apply(int argc, char **argv);

// The directories on the way to the last path, each opened below the one before it; the next path mostly shares them.
struct trail {
  struct step {
    char *name;
    int fd;
  } *steps;
  size_t length, capacity;
};

static int root = -1, records;
static struct trail paths, targets;

static void cut_trail(struct trail *trail, size_t length) {
  while (trail->length > length) {
    struct step *step = &trail->steps[--trail->length];
    close(step->fd);
    free(step->name);
  }
}

// The next component of a path, its length, and where the one after it starts.
static const char *next_part(const char *path, size_t *length) {
  *length = strcspn(path, "/");
  return path[*length] ? path + *length + 1 : path + *length;
}

// Opens the directory that holds `path`, and gives the last component. Dies on whatever is no plain relative path.
static int open_parent(struct trail *trail, const char *path, const char **name) {
  size_t depth = 0, length;
  int fd = root;
  if (!*path) die("Cannot write \"\": the root is there already");
  for (const char *at = path;; depth++) {
    const char *next = next_part(at, &length);
    if (!length || (length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
      die("Cannot write \"%s\": its path leads out of its directory", path);
    if (!*next) {
      if (at[length]) die("Cannot write \"%s\": its path ends in a slash", path);
      *name = at;
      return fd;
    }
    if (depth < trail->length && !strncmp(trail->steps[depth].name, at, length) && !trail->steps[depth].name[length]) {
      fd = trail->steps[depth].fd;
    } else {
      cut_trail(trail, depth);
      if (depth == trail->capacity) {
        trail->capacity = trail->capacity * 2 + 16;
        trail->steps = reallocate(trail->steps, trail->capacity * sizeof *trail->steps);
      }
      char *part = strndup(at, length);
      if (!part) die("Cannot allocate %zu bytes", length);
      fd = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (fd < 0) die_errno("Cannot write \"%s\": cannot enter \"%.*s\"", path, (int)(at - path + (ptrdiff_t)length), path);
      trail->steps[depth] = (struct step){part, fd};
      trail->length = depth + 1;
    }
    at = next;
  }
}

// Forgets the directories of a trail that are `path` or below it.
static void leave(struct trail *trail, const char *path) {
  size_t length;
  for (size_t depth = 0; depth < trail->length; depth++) {
    const char *next = next_part(path, &length);
    if (strncmp(trail->steps[depth].name, path, length) || trail->steps[depth].name[length]) return;
    if (!*next) {
      cut_trail(trail, depth);
      return;
    }
    path = next;
  }
}

static void remove_below(int parent, const char *name, const char *path) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (!directory) die_errno("Cannot remove \"%s\"", path);
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(directory);
    if (!entry && errno) die_errno("Cannot remove \"%s\"", path);
    if (!entry) break;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (entry->d_type != DT_DIR && !unlinkat(fd, entry->d_name, 0)) continue;
    if (entry->d_type != DT_DIR && errno != EISDIR) die_errno("Cannot remove \"%s\"", path);
    remove_below(fd, entry->d_name, path);
  }
  closedir(directory);
  if (unlinkat(parent, name, AT_REMOVEDIR)) die_errno("Cannot remove \"%s\"", path);
}

static void remove_object(int parent, const char *name, const char *path) {
  if (!unlinkat(parent, name, 0) || errno == ENOENT) return;
  if (errno != EISDIR) die_errno("Cannot remove \"%s\"", path);
  leave(&paths, path);
  leave(&targets, path);
  remove_below(parent, name, path);
}

struct attributes {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  struct timespec times[2];
  // Names and values lie in the frame.
  uint32_t xattrs;
  struct frame rest;
};

// The attributes and the extended attributes after them; the frame goes on behind both.
static struct attributes take_attributes(struct frame *frame) {
  struct attributes a = {.mode = take_u32(frame) & 07777};
  a.uid = take_u32(frame);
  a.gid = take_u32(frame);
  a.times[1].tv_sec = (time_t)take_u64(frame);
  a.times[1].tv_nsec = (long)take_u32(frame);
  a.times[0] = a.times[1];
  a.xattrs = take_u32(frame);
  a.rest = *frame;
  for (uint32_t i = 0; i < a.xattrs; i++) {
    uint32_t size;
    take_string(frame);
    take_bytes(frame, &size);
  }
  return a;
}

// On an open file, or where `fd` is -1 on a name in the directory `parent` without following it.
static void set_xattrs(struct attributes *a, int fd, int parent, const char *name, const char *path) {
  if (a->xattrs && fd < 0 && fchdir(parent)) die_errno("Cannot enter the directory of \"%s\"", path);
  for (uint32_t i = 0; i < a->xattrs; i++) {
    uint32_t size;
    const char *key = take_string(&a->rest), *value = take_bytes(&a->rest, &size);
    int failed = fd < 0 ? lsetxattr(name, key, value, size, 0) : fsetxattr(fd, key, value, size, 0);
    if (failed && errno == EPERM && records && !strcmp(key, "security.capability"))
      failed = fd < 0 ? 0 : fsetxattr(fd, RECORDED_CAPABILITY, value, size, 0);
    // As containerd does: a file system without extended attributes is no error.
    if (failed && errno != ENOTSUP && !(records && errno == EPERM)) die_errno("Cannot set the extended attribute %s of \"%s\"", key, path);
  }
}

// Attributes need the right to write, so they come before the mode.
static void record_attributes(struct attributes *a, int fd, const char *path, mode_t type, unsigned major, unsigned minor) {
  struct record record = {a->uid, a->gid, type | a->mode, shown_mode(type | a->mode), major, minor};
  if (fsetxattr(fd, RECORD, &record, sizeof record, 0)) die_errno("Cannot record the owner of \"%s\"", path);
  set_xattrs(a, fd, -1, NULL, path);
  if (fchmod(fd, record.shown)) die_errno("Cannot set the mode of \"%s\"", path);
  if (futimens(fd, a->times)) die_errno("Cannot set the times of \"%s\"", path);
}

// chown clears set-user-id bits and capabilities, so it comes first; times come last.
static void set_attributes(struct attributes *a, int fd, const char *path, mode_t type) {
  if (records) return record_attributes(a, fd, path, type, 0, 0);
  if (fchown(fd, a->uid, a->gid)) die_errno("Cannot give \"%s\" to %u:%u", path, a->uid, a->gid);
  if (fchmod(fd, a->mode)) die_errno("Cannot set the mode of \"%s\"", path);
  set_xattrs(a, fd, -1, NULL, path);
  if (futimens(fd, a->times)) die_errno("Cannot set the times of \"%s\"", path);
}

// The same on a symlink, which has no mode, or on a node made a moment ago, so that fchmodat has nothing to follow.
static void set_name_attributes(struct attributes *a, int parent, const char *name, const char *path, int has_mode) {
  if (!records && fchownat(parent, name, a->uid, a->gid, AT_SYMLINK_NOFOLLOW)) die_errno("Cannot give \"%s\" to %u:%u", path, a->uid, a->gid);
  if (has_mode && fchmodat(parent, name, a->mode, 0)) die_errno("Cannot set the mode of \"%s\"", path);
  set_xattrs(a, -1, parent, name, path);
  if (utimensat(parent, name, a->times, AT_SYMLINK_NOFOLLOW)) die_errno("Cannot set the times of \"%s\"", path);
}

// A file that is being written.
static struct {
  int fd;
  char *path;
  struct attributes attributes;
  uint8_t *rest;
  off_t size;
  int has_hole;
} file = {.fd = -1};

static int create_file(const char *path) {
  const char *name;
  int parent = open_parent(&paths, path, &name), fd;
  while ((fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0) {
    if (errno != EEXIST) die_errno("Cannot create \"%s\"", path);
    remove_object(parent, name, path);
  }
  return fd;
}

static void write_content(const char *path, int fd, const char *data, size_t size) {
  file.size += (off_t)size;
  // Nothing but zeros becomes a hole: sparse files stay small.
  if (size >= 4096 && !data[0] && !memcmp(data, data + 1, size - 1)) {
    if (lseek(fd, (off_t)size, SEEK_CUR) < 0) die_errno("Cannot write \"%s\"", path);
    file.has_hole = 1;
    return;
  }
  while (size) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("Cannot write \"%s\"", path);
    data += n;
    size -= (size_t)n;
  }
}

static void finish_file(const char *path) {
  if (file.has_hole && ftruncate(file.fd, file.size)) die_errno("Cannot write \"%s\"", path);
  set_attributes(&file.attributes, file.fd, path, S_IFREG);
  if (close(file.fd)) die_errno("Cannot write \"%s\"", path);
  file.fd = -1;
}

static const char *begin_file(struct frame *frame) {
  const char *path = take_string(frame);
  file.fd = create_file(path);
  file.size = file.has_hole = 0;
  file.attributes = take_attributes(frame);
  return path;
}

static void apply_file(struct frame *frame) {
  const char *path = begin_file(frame);
  uint32_t size;
  int is_whole = take_u8(frame);
  const char *data = take_bytes(frame, &size);
  write_content(path, file.fd, data, size);
  if (is_whole) {
    finish_file(path);
    return;
  }
  // The frame's memory is used again before the file ends.
  struct frame *rest = &file.attributes.rest;
  size_t length = (size_t)(rest->end - rest->at);
  file.rest = allocate(length + 1);
  memcpy(file.rest, rest->at, length);
  *rest = (struct frame){rest->kind, file.rest, file.rest + length};
  if (!(file.path = strdup(path))) die("Cannot allocate %zu bytes", strlen(path));
}

void apply_streamed(struct frame *frame, next_piece *next) {
  const char *path = begin_file(frame), *piece;
  uint64_t at = take_u64(frame), left = take_u64(frame);
  size_t size;
  for (; left > 0 && (piece = next(at, left, &size)); at += size, left -= size) write_content(path, file.fd, piece, size);
  finish_file(path);
}

static void apply_content(struct frame *frame) {
  uint32_t size;
  const char *data = take_bytes(frame, &size);
  write_content(file.path, file.fd, data, size);
}

static void apply_file_end(void) {
  finish_file(file.path);
  free(file.path);
  free(file.rest);
}

static void apply_copy(struct frame *frame) {
  const char *path = take_string(frame);
  file.fd = create_file(path);
  file.has_hole = 0;
  file.attributes = take_attributes(frame);
  const char *source = take_string(frame);
  loff_t offset = (loff_t)take_u64(frame);
  uint64_t left = take_u64(frame);
  int from = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (from < 0) die_errno("Cannot copy \"%s\" to \"%s\"", source, path);
  static char buffer[1 << 16];
  while (left) {
    ssize_t n = copy_file_range(from, &offset, file.fd, NULL, left, 0);
    if (n < 0 && errno != EINTR) {
      // Not between file systems, or not with this kernel.
      n = pread(from, buffer, left < sizeof buffer ? left : sizeof buffer, offset);
      if (n < 0) die_errno("Cannot copy \"%s\" to \"%s\"", source, path);
      write_content(path, file.fd, buffer, (size_t)n);
      offset += n;
    }
    if (n == 0) die("Cannot copy \"%s\" to \"%s\": it is shorter than it was", source, path);
    if (n > 0) left -= (uint64_t)n;
  }
  close(from);
  file.size = lseek(file.fd, 0, SEEK_CUR);
  finish_file(path);
}

static void apply_directory(struct frame *frame) {
  const char *path = take_string(frame), *name;
  int parent = open_parent(&paths, path, &name);
  while (mkdirat(parent, name, 0700)) {
    struct stat st;
    if (errno != EEXIST) die_errno("Cannot create \"%s\"", path);
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) die_errno("Cannot look at \"%s\"", path);
    if (S_ISDIR(st.st_mode)) return;
    remove_object(parent, name, path);
  }
}

static void apply_directory_attributes(struct frame *frame) {
  const char *path = take_string(frame), *name = ".";
  int parent = *path ? open_parent(&paths, path, &name) : root;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) die_errno("Cannot open \"%s\"", path);
  struct attributes attributes = take_attributes(frame);
  static const char *const marks[] = {NULL, "trusted.overlay.opaque", "user.overlay.opaque"};
  uint8_t opaque = take_u8(frame);
  if (opaque > 2) die("Cannot apply: %u is no mark of an opaque directory", opaque);
  if (opaque && fsetxattr(fd, marks[opaque], "y", 1, 0)) die_errno("Cannot make \"%s\" opaque", path);
  set_attributes(&attributes, fd, path, S_IFDIR);
  close(fd);
}

static void apply_symlink(struct frame *frame) {
  const char *path = take_string(frame), *name;
  struct attributes attributes = take_attributes(frame);
  const char *target = take_string(frame);
  int parent = open_parent(&paths, path, &name);
  while (symlinkat(target, parent, name)) {
    if (errno != EEXIST) die_errno("Cannot create the symbolic link \"%s\"", path);
    remove_object(parent, name, path);
  }
  set_name_attributes(&attributes, parent, name, path, 0);
}

static void apply_link(struct frame *frame) {
  const char *path = take_string(frame), *name, *target_name;
  const char *target = take_string(frame);
  int parent = open_parent(&paths, path, &name);
  int target_parent = open_parent(&targets, target, &target_name);
  while (linkat(target_parent, target_name, parent, name, 0)) {
    if (errno != EEXIST) die_errno("Cannot link \"%s\" to \"%s\"", path, target);
    remove_object(parent, name, path);
  }
}

static void apply_node(struct frame *frame) {
  const char *path = take_string(frame), *name;
  struct attributes attributes = take_attributes(frame);
  mode_t type = take_u32(frame) & S_IFMT;
  unsigned major = take_u32(frame), minor = take_u32(frame);
  if (type != S_IFCHR && type != S_IFBLK && type != S_IFIFO) die("Cannot create \"%s\": %o is no type of a device", path, type);
  if (records && type != S_IFIFO) {
    int fd = create_file(path);
    record_attributes(&attributes, fd, path, type, major, minor);
    close(fd);
    return;
  }
  int parent = open_parent(&paths, path, &name);
  while (mknodat(parent, name, type | 0600, makedev(major, minor))) {
    // Where no device can be made none could be used either; the image keeps it.
    if (errno == EPERM && type != S_IFIFO) return;
    if (errno != EEXIST) die_errno("Cannot create the device \"%s\"", path);
    remove_object(parent, name, path);
  }
  set_name_attributes(&attributes, parent, name, path, 1);
}

static void apply_whiteout(struct frame *frame) {
  const char *path = take_string(frame), *name;
  int parent = open_parent(&paths, path, &name);
  while (mknodat(parent, name, S_IFCHR, 0)) {
    if (errno != EEXIST) die_errno("Cannot create the whiteout \"%s\"", path);
    remove_object(parent, name, path);
  }
}

static void apply_removal(struct frame *frame) {
  const char *path = take_string(frame), *name;
  int parent = open_parent(&paths, path, &name);
  remove_object(parent, name, path);
}

void open_root(const char *path, int with_records) {
  records = with_records;
  root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) die_errno("Cannot open \"%s\"", path);
  struct rlimit limit;
  if (!getrlimit(RLIMIT_NOFILE, &limit)) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  umask(0);
}

int apply_message(struct frame *frame) {
  if ((frame->kind == 'C' || frame->kind == 'E') != (file.fd >= 0)) die("Cannot apply: message %u is out of order", frame->kind);
  switch (frame->kind) {
    case 'F': apply_file(frame); break;
    case 'C': apply_content(frame); break;
    case 'E': apply_file_end(); break;
    case 'X': apply_copy(frame); break;
    case 'D': apply_directory(frame); break;
    case 'A': apply_directory_attributes(frame); break;
    case 'S': apply_symlink(frame); break;
    case 'H': apply_link(frame); break;
    case 'N': apply_node(frame); break;
    case 'W': apply_whiteout(frame); break;
    case 'R': apply_removal(frame); break;
    case 'Z': return 0;
    default: die("Cannot apply: message %u is unknown", frame->kind);
  }
  return 1;
}

int cmd_apply(int argc, char **argv) {
  int recorded = argc > 2 && !strcmp(argv[1], "--record");
  if (argc != 2 + recorded) die("usage: slipway-helper apply [--record] ROOT");
  open_root(argv[1 + recorded], recorded);
  struct reader reader;
  struct frame frame;
  reader_open(&reader, STDIN_FILENO);
  while (read_frame(&reader, &frame))
    if (!apply_message(&frame)) return 0;
  die("Cannot apply: the builder went away");
}
