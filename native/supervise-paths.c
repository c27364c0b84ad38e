// From the path of a call to the place in /proc, /sys or /dev that it names. Paths that lead there only on the way, through a
// directory that is a symlink, are not recognised.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervise.h"

static int current_may_lie_there, descriptors_may_lie_there;

void expect_directories(int current) {
  if (current) current_may_lie_there = 1;
  else descriptors_may_lie_there = 1;
}

static int begins_with(const char *path, const char *name, size_t size) {
  return !strncmp(path, name, size) && (path[size] == '/' || path[size] == 0);
}

// Of a path from the root, with or without its first slash.
static enum tree tree_of(const char *path) {
  while (*path == '/' || (path[0] == '.' && path[1] == '/')) path++;
  if (begins_with(path, "proc", 4)) return TREE_PROC;
  if (begins_with(path, "sys", 3)) return TREE_SYS;
  if (begins_with(path, "dev", 3)) return TREE_DEV;
  return TREE_NONE;
}

// Takes "//", "." and ".." out of an absolute path.
static void normalise(char *path) {
  char *to = path;
  for (const char *at = path; *at;) {
    at += strspn(at, "/");
    size_t size = strcspn(at, "/");
    if (size == 0) break;
    if (size == 2 && at[0] == '.' && at[1] == '.') {
      while (to > path && *--to != '/') continue;
    } else if (size != 1 || *at != '.') {
      *to++ = '/';
      memmove(to, at, size);
      to += size;
    }
    at += size;
  }
  if (to == path) *to++ = '/';
  *to = 0;
}

static enum tree finish(char *view) {
  normalise(view);
  return tree_of(view);
}

// /etc/mtab, and logs that images link to /dev/stdout.
static enum tree locate_link(const char *path, char *view) {
  char link[PATH_MAX];
  ssize_t n = readlink(path, link, sizeof link - 1);
  if (n <= 0) return TREE_NONE;
  link[n] = 0;
  size_t above = *link == '/' ? 0 : (size_t)(strrchr(path, '/') - path);
  if ((size_t)snprintf(view, PATH_MAX, "%.*s/%s", (int)above, path, link) >= PATH_MAX) return TREE_NONE;
  return finish(view);
}

enum tree locate(struct call *call, int directory, int follow, char *view) {
  const char *path = call->path;
  if (*path == '/') {
    if (tree_of(path) == TREE_NONE) return follow ? locate_link(path, view) : TREE_NONE;
    memcpy(view, path, strlen(path) + 1);
    return finish(view);
  }
  if (*path == 0) return TREE_NONE;
  if (directory == AT_FDCWD ? !current_may_lie_there && tree_of(path) == TREE_NONE : !descriptors_may_lie_there) return TREE_NONE;
  char name[40], base[PATH_MAX];
  if (directory == AT_FDCWD) snprintf(name, sizeof name, "%d/cwd", call->thread);
  else snprintf(name, sizeof name, "%d/fd/%d", call->thread, directory);
  ssize_t n = readlinkat(outside.proc, name, base, sizeof base - 1);
  if (n <= 0 || *base != '/') return TREE_NONE;
  base[n] = 0;
  if ((size_t)snprintf(view, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return TREE_NONE;
  return finish(view);
}
