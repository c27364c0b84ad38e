// Directories on disk, below the root's own /proc and /sys, in the place of the kernel's. Their entries are names alone: what is opened
// through them is looked up anew.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervise.h"

enum { SWEEP_EVERY = 512 };
static int made_since_sweep;

static void remove_entry(int directory, const char *name) {
  if (!unlinkat(directory, name, 0) || errno != EISDIR) return;
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (!entries) return;
  for (struct dirent *entry; (entry = readdir(entries));)
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) remove_entry(dirfd(entries), entry->d_name);
  closedir(entries);
  unlinkat(directory, name, AT_REMOVEDIR);
}

// A second descriptor with a place of its own in the listing.
static DIR *list(int directory) {
  int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (!entries && fd >= 0) close(fd);
  return entries;
}

static int is_shown(const char *name, int is_top) {
  if (!strcmp(name, ".") || !strcmp(name, "..")) return 0;
  return !is_top || *name < '0' || *name > '9' || is_own(atoi(name));
}

static void add_entry(int source, int mirror, const struct dirent *entry, int is_top) {
  char link[PATH_MAX];
  ssize_t n = entry->d_type == DT_LNK ? readlinkat(source, entry->d_name, link, sizeof link - 1) : -1;
  // /proc/self leads each process elsewhere; the directory that stands for it holds what mirror_program makes.
  int is_directory = entry->d_type == DT_DIR || (is_top && entry->d_type == DT_LNK && strstr(entry->d_name, "self"));
  if (is_directory) mkdirat(mirror, entry->d_name, 0755);
  else if (entry->d_type != DT_LNK) mknodat(mirror, entry->d_name, S_IFREG | 0444, 0);
  else {
    link[n > 0 ? n : 0] = 0;
    symlinkat(n > 0 ? link : "?", mirror, entry->d_name);
  }
}

static void fill(int source, int mirror, int is_top, DIR *entries) {
  DIR *old = list(mirror);
  for (struct dirent *entry; old && (entry = readdir(old));) {
    struct stat now;
    int is_gone = fstatat(source, entry->d_name, &now, AT_SYMLINK_NOFOLLOW) || !is_shown(entry->d_name, is_top);
    if (is_gone && strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) remove_entry(mirror, entry->d_name);
  }
  if (old) closedir(old);
  for (struct dirent *entry; (entry = readdir(entries));)
    if (is_shown(entry->d_name, is_top)) add_entry(source, mirror, entry, is_top);
}

static int make_directories_below(int base, const char *name) {
  int at = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  while (at >= 0 && *name) {
    char part[NAME_MAX + 1];
    size_t size = strcspn(name, "/");
    if (size > NAME_MAX) return close(at), errno = ENAMETOOLONG, -1;
    memcpy(part, name, size);
    part[size] = 0;
    name += size + strspn(name + size, "/");
    if (size == 0 || !strcmp(part, ".")) continue;
    int next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) {
      unlinkat(at, part, 0);  // something that was listed as a link or a file, and is one no more
      mkdirat(at, part, 0755);
      next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    int error = errno;
    close(at);
    errno = error;
    at = next;
  }
  return at;
}

static void sweep(void) {
  made_since_sweep = 0;
  DIR *entries = list(outside.proc);
  if (!entries) return;
  fill(outside.proc, outside.root_proc, 1, entries);
  closedir(entries);
}

int open_mirror(enum tree tree, const char *name, int source, int filled, int flags) {
  int is_top = tree == TREE_PROC && !strcmp(name, ".");
  DIR *entries = NULL;
  // As the caller, who may not be allowed to; the mirror itself is root's.
  if (filled && !(entries = list(source))) return -1;
  become_root();
  int held = make_directories_below(tree == TREE_PROC ? outside.root_proc : outside.root_sys, name);
  if (held < 0) return entries ? closedir(entries) : 0, -1;
  if (entries) {
    if (tree == TREE_PROC && !is_top && ++made_since_sweep > SWEEP_EVERY) sweep();
    fill(source, held, is_top, entries);
    closedir(entries);
  }
  int opened = openat(held, ".", (flags & (O_PATH | O_NOATIME)) | O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = errno;
  close(held);
  errno = error;
  return opened;
}

// The kernel follows this link when it goes on with the call. /proc/self is one for all processes, so that two which execute
// themselves at once must be of the same program; a moment's pause keeps others apart.
void mirror_program(const struct object *object) {
  static char last[PATH_MAX], last_directory[32];
  char program[PATH_MAX], directory[32];
  ssize_t n = readlinkat(outside.proc, object->name, program, sizeof program - 1);
  const char *last_part = strrchr(object->name, '/');
  if (n <= 0 || *program != '/' || object->rest || !last_part || strcmp(last_part, "/exe")) return;
  program[n] = 0;
  size_t size = strcspn(object->view + strlen("/proc/"), "/");
  snprintf(directory, sizeof directory, "%.*s", (int)(size < 31 ? size : 31), object->view + strlen("/proc/"));
  int is_other = strcmp(last, program) != 0;
  if (is_other && !strcmp(last_directory, directory)) usleep(2000);
  int held = open_mirror(TREE_PROC, directory, -1, 0, O_PATH);
  if (held < 0) return;
  unlinkat(held, "exe", 0);
  symlinkat(program, held, "exe");
  close(held);
  snprintf(last, sizeof last, "%s", program);
  snprintf(last_directory, sizeof last_directory, "%s", directory);
}
