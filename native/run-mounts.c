// What is mounted in the root of a command on the builder's behalf: files, directories and sockets of the machine, tmpfs, and
// contents that lie in memory alone.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

#define HELD "/dev/.mounts"

// For each mount its source, and from hold_mounts on a mount of it that has no place yet.
static int *sources;
// What is mounted, in its order, so that it can be found again whatever the command renamed.
static int *shown;
static size_t shown_count;

static const char *path_of(int fd) {
  static char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

static int open_mounted(const char *path) {
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) die_errno("Cannot open \"%s\"", path);
  return fd;
}

void open_mounts(const struct spec *spec) {
  sources = allocate((spec->mount_count + 1) * sizeof *sources);
  for (size_t i = 0; i < spec->mount_count; i++) {
    const struct mount *mount = &spec->mounts[i];
    if (mount->kind != MOUNT_BIND) continue;
    sources[i] = open_below(mount->directory, mount->below, NULL);
    if (sources[i] < 0) die_errno("Cannot mount on \"%s\": cannot open its source", mount->target);
  }
}

static unsigned long flags_of(const struct mount *mount) {
  unsigned long flags = MS_NODEV;
  if (mount->kind != MOUNT_BIND) flags |= MS_NOSUID;
  if (mount->kind == MOUNT_CONTENT && !mount->executable) flags |= MS_NOEXEC;
  return mount->writable ? flags : flags | MS_RDONLY;
}

static int is_directory(int fd) {
  struct stat now;
  if (fstat(fd, &now)) die_errno("Cannot read a mount");
  return S_ISDIR(now.st_mode);
}

// A mount of a file or directory in a place that nobody else knows.
static int hold(int source, const struct mount *mounted, size_t number) {
  char place[48];
  snprintf(place, sizeof place, HELD "/%zu", number);
  if (is_directory(source) ? mkdir(place, 0700) : mknod(place, S_IFREG | 0600, 0)) die_errno("Cannot make \"%s\"", place);
  if (mount(path_of(source), place, NULL, MS_BIND, NULL) || limit_mount(place, flags_of(mounted)))
    die_errno("Cannot bind \"%s\"", mounted->target);
  close(source);
  return open_mounted(place);
}

// The contents' own file system goes out of sight when each of its files is a mount by itself.
static void hold_contents(const struct spec *spec) {
  if (mkdir(HELD "/contents", 0700) || mount("tmpfs", HELD "/contents", "tmpfs", MS_NOSUID | MS_NODEV, "mode=700"))
    die_errno("Cannot mount a tmpfs");
  int directory = open(HELD "/contents", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; i < spec->mount_count; i++) {
    if (spec->mounts[i].kind != MOUNT_CONTENT) continue;
    char name[24];
    snprintf(name, sizeof name, "%zu", i);
    if (write_content(directory, name, &spec->mounts[i])) die_errno("Cannot write the content of \"%s\"", spec->mounts[i].target);
    int source = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0) die_errno("Cannot open the content of \"%s\"", spec->mounts[i].target);
    sources[i] = hold(source, &spec->mounts[i], i);
  }
  close(directory);
  if (umount2(HELD "/contents", MNT_DETACH)) die_errno("Cannot hide the contents");
}

void hold_mounts(const struct spec *spec) {
  int has_contents = 0;
  shown = allocate((spec->mount_count + spec->file_count + 1) * sizeof *shown);
  if (!spec->mount_count) return;
  if (mkdir(HELD, 0700)) die_errno("Cannot make \"%s\"", HELD);
  for (size_t i = 0; i < spec->mount_count; i++) {
    has_contents |= spec->mounts[i].kind == MOUNT_CONTENT;
    if (spec->mounts[i].kind == MOUNT_BIND) sources[i] = hold(sources[i], &spec->mounts[i], i);
  }
  if (has_contents) hold_contents(spec);
}

void mount_shown(int from, const char *target) {
  if (mount(path_of(from), target, NULL, MS_MOVE, NULL)) die_errno("Cannot mount on \"%s\"", target);
  close(from);
  shown[shown_count++] = open_mounted(target);
}

// As runc does it: a directory that is there lends the tmpfs its mode.
static void place_tmpfs(const struct mount *mounted) {
  char options[64];
  struct stat now;
  int is_there = !stat(mounted->target, &now);
  make_stub(mounted->target, 1);
  int used = snprintf(options, sizeof options, "mode=%o", is_there ? now.st_mode & 07777 : 01777);
  if (mounted->size) snprintf(options + used, sizeof options - (size_t)used, ",size=%llu", (unsigned long long)mounted->size);
  if (mount("tmpfs", mounted->target, "tmpfs", flags_of(mounted), options)) die_errno("Cannot mount a tmpfs on \"%s\"", mounted->target);
  shown[shown_count++] = open_mounted(mounted->target);
}

void place_mounts(const struct spec *spec) {
  if (!spec->mount_count) return;
  int held = open(HELD, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; i < spec->mount_count; i++) {
    const struct mount *mount = &spec->mounts[i];
    if (mount->kind == MOUNT_TMPFS) {
      place_tmpfs(mount);
      continue;
    }
    int is_tree = is_directory(sources[i]);
    struct stat now;
    make_stub(mount->target, is_tree);
    if (stat(mount->target, &now)) die_errno("Cannot mount on \"%s\"", mount->target);
    if (S_ISDIR(now.st_mode) != is_tree) die("Cannot mount on \"%s\": %s", mount->target, strerror(is_tree ? ENOTDIR : EISDIR));
    mount_shown(sources[i], mount->target);
    char name[24];
    snprintf(name, sizeof name, "%zu", i);
    if (unlinkat(held, name, is_tree ? AT_REMOVEDIR : 0)) die_errno("Cannot clear /dev");
  }
  unlinkat(held, "contents", AT_REMOVEDIR);
  if (unlinkat(dev, strrchr(HELD, '/') + 1, AT_REMOVEDIR)) die_errno("Cannot clear /dev");
  close(held);
  close(dev);
}

void remove_mounts(void) {
  while (shown_count > 0) umount2(path_of(shown[--shown_count]), MNT_DETACH);
}
