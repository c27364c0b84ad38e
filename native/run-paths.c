// Paths in the root of a command: stubs that something is mounted on, and missing directories. Works after the root was entered,
// so that no symlink of the image leads out of it.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "record.h"
#include "run.h"

// One thing made: where, and as what. The descriptors hold the place whatever the command renames.
static struct stub {
  int parent, is_directory;
  char name[NAME_MAX + 1];
} *stubs;
static size_t stub_count, stub_capacity;

static void restore_times(int directory, const struct stat *before) {
  struct timespec times[2] = {before->st_atim, before->st_mtim};
  futimens(directory, times);
}

static void make_one_stub(int parent, const char *name, int is_directory) {
  struct stat before;
  if (stub_count == stub_capacity) stubs = reallocate(stubs, (stub_capacity += 32) * sizeof *stubs);
  if (fstat(parent, &before)) die_errno("Cannot read a directory above \"%s\"", name);
  int made = is_directory ? mkdirat(parent, name, 0755) : openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (made < 0) die_errno("Cannot make the mount point \"%s\"", name);
  if (!is_directory) close(made);
  restore_times(parent, &before);
  struct stub *stub = &stubs[stub_count++];
  *stub = (struct stub){.parent = fcntl(parent, F_DUPFD_CLOEXEC, 0), .is_directory = is_directory};
  snprintf(stub->name, sizeof stub->name, "%s", name);
}

// Opens the directory `name` of `parent`, which it closes; at the root, `..` stays there as everywhere in a root.
static int enter(int parent, const char *name, const char *path) {
  int next = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0) die_errno("Cannot reach \"%s\"", path);
  close(parent);
  return next;
}

int open_stub(const char *path, int is_directory, char *name) {
  char rest[PATH_MAX], link[PATH_MAX];
  int links = 0, at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (at < 0 || (size_t)snprintf(rest, sizeof rest, "%s", path) >= sizeof rest) die("Cannot make the mount point \"%s\"", path);
  for (;;) {
    char *from = rest + strspn(rest, "/");
    size_t size = strcspn(from, "/");
    if (size == 0) break;
    if (size > NAME_MAX) die("Cannot make the mount point \"%s\": a name is too long", path);
    memcpy(name, from, size);
    name[size] = 0;
    memmove(rest, from + size, strlen(from + size) + 1);
    int is_last = rest[strspn(rest, "/")] == 0;
    ssize_t n = readlinkat(at, name, link, sizeof link - 1);
    if (n >= 0) {
      link[n] = 0;
      if (++links > 40 || (size_t)n + strlen(rest) + 2 > sizeof rest) die("Cannot make the mount point \"%s\": too many symlinks", path);
      memmove(rest + n, rest, strlen(rest) + 1);
      memcpy(rest, link, (size_t)n);
      if (*link == '/') {
        close(at);
        at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (at < 0) die_errno("Cannot open the root");
      }
      continue;
    }
    if (errno == ENOENT) make_one_stub(at, name, !is_last || is_directory);
    else if (errno != EINVAL) die_errno("Cannot make the mount point \"%s\"", path);
    if (is_last) return at;
    at = enter(at, name, path);
  }
  die("Cannot mount on \"%s\": it is the root", path);
}

void make_stub(const char *path, int is_directory) {
  char name[NAME_MAX + 1];
  close(open_stub(path, is_directory, name));
}

void remove_stubs(void) {
  while (stub_count > 0) {
    struct stub *stub = &stubs[--stub_count];
    struct stat parent, now;
    if (fstat(stub->parent, &parent) || fstatat(stub->parent, stub->name, &now, AT_SYMLINK_NOFOLLOW)) continue;
    if (!stub->is_directory && (!S_ISREG(now.st_mode) || now.st_size > 0)) continue;
    if (!unlinkat(stub->parent, stub->name, stub->is_directory ? AT_REMOVEDIR : 0)) restore_times(stub->parent, &parent);
    close(stub->parent);
  }
}

int open_below(const char *directory, const char *below, const char **name) {
  int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  while (at >= 0 && *below) {
    const char *slash = strchr(below, '/');
    if (!slash && name) break;
    char part[NAME_MAX + 1];
    size_t size = slash ? (size_t)(slash - below) : strlen(below);
    if (size > NAME_MAX) return close(at), errno = ENAMETOOLONG, -1;
    memcpy(part, below, size);
    part[size] = 0;
    int next = openat(at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC | (slash ? O_DIRECTORY : 0)), error = errno;
    close(at);
    errno = error;
    at = next;
    below += size + (slash != NULL);
  }
  if (name) *name = below;
  return at;
}

// In a namespace of one id everything is that one's: it only looks as if it were somebody else's, and can be read by whom it could be then.
static int pretend_owner(int fd, const struct mount *mount, mode_t *mode) {
  unsigned class = getegid() == mount->gid ? 3 : 0;
  if (geteuid() != 0 && geteuid() != mount->uid) *mode = (*mode & 07077) | ((*mode >> class & 7) << 6);
  struct record record = {mount->uid, mount->gid, S_IFREG | mount->mode, *mode, 0, 0};
  return fsetxattr(fd, RECORD, &record, sizeof record, 0) && errno != EOPNOTSUPP;
}

int write_content(int directory, const char *name, struct mount *mount) {
  int fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  const char *at = mount->content, *end = at + mount->content_size;
  while (at < end) {
    ssize_t n = write(fd, at, (size_t)(end - at));
    if (n < 0 && errno != EINTR) return -1;
    if (n > 0) at += n;
  }
  explicit_bzero(mount->content, mount->content_size);
  mode_t mode = mount->mode;
  int failed = fchown(fd, mount->uid, mount->gid) && (errno != EINVAL || pretend_owner(fd, mount, &mode));
  failed = failed || fchmod(fd, mode);
  close(fd);
  return failed ? -1 : 0;
}

int make_directories(const char *path, uid_t uid, gid_t gid) {
  char at[PATH_MAX];
  struct stat now;
  if (!stat(path, &now)) return 0;
  if ((size_t)snprintf(at, sizeof at, "%s", path) >= sizeof at) return errno = ENAMETOOLONG, -1;
  for (char *slash = at; slash; *slash = '/') {
    slash = strchr(slash + 1, '/');
    if (slash) *slash = 0;
    if (!mkdir(at, 0755)) {
      if (chown(at, uid, gid)) return -1;
    } else if (errno != EEXIST) return -1;
    if (!slash) break;
  }
  return 0;
}
