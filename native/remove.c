// remove and own: what a builder asks for whose files are others'.
//
// remove [--unlocked] DIRECTORY…: removes trees; with --unlocked those alone that nobody holds a lock of (flock).
// own UID GID MODE PATH: gives something its owner and permission bits (octal). move FROM TO: rename(2).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "serve.h"

int cmd_remove(int argc, char **argv);
int cmd_own(int argc, char **argv);
int cmd_move(int argc, char **argv);

static int remove_on(dev_t device, int parent, const char *name) {
  struct stat now;
  if (fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW)) return errno == ENOENT ? 0 : -1;
  if (!S_ISDIR(now.st_mode)) return unlinkat(parent, name, 0);
  if (now.st_dev != device) return errno = EXDEV, -1;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), failure = 0;
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (!directory) return -1;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN && !unlinkat(fd, entry->d_name, 0)) continue;
    if (remove_on(device, fd, entry->d_name)) failure = errno;
  }
  closedir(directory);
  if (!failure) return unlinkat(parent, name, AT_REMOVEDIR);
  errno = failure;
  return -1;
}

int remove_tree(int parent, const char *name) {
  struct stat now;
  if (fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW)) return errno == ENOENT ? 0 : -1;
  return remove_on(now.st_dev, parent, name);
}

static int is_locked(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB);
  if (fd >= 0) close(fd);
  return locked;
}

int cmd_remove(int argc, char **argv) {
  int only_unlocked = argc > 1 && !strcmp(argv[1], "--unlocked"), failed = 0;
  for (int i = 1 + only_unlocked; i < argc; i++) {
    if (only_unlocked && is_locked(argv[i])) continue;
    if (!remove_tree(AT_FDCWD, argv[i])) continue;
    failed = 1;
    dprintf(2, "Cannot remove \"%s\": %s\n", argv[i], strerror(errno));
  }
  return failed;
}

int cmd_own(int argc, char **argv) {
  if (argc != 5) die("usage: slipway-helper own UID GID MODE PATH");
  uid_t uid = (uid_t)strtoul(argv[1], NULL, 10);
  gid_t gid = (gid_t)strtoul(argv[2], NULL, 10);
  if (lchown(argv[4], uid, gid)) die_errno("Cannot give \"%s\" to %u:%u", argv[4], uid, gid);
  if (chmod(argv[4], (mode_t)strtoul(argv[3], NULL, 8))) die_errno("Cannot set the mode of \"%s\"", argv[4]);
  return 0;
}

int cmd_move(int argc, char **argv) {
  if (argc != 3) die("usage: slipway-helper move FROM TO");
  if (rename(argv[1], argv[2])) die_errno("Cannot rename \"%s\" to \"%s\"", argv[1], argv[2]);
  return 0;
}
