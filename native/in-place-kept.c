// What the sandbox in place leaves where it is, and whether this is the executor image at all.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "in-place.h"
#include "run.h"

static char **kept;
static size_t kept_count;

void keep_place(const char *path) {
  if (is_kept(path)) return;
  if (kept_count % 32 == 0) kept = reallocate(kept, (kept_count + 32) * sizeof *kept);
  if (!(kept[kept_count++] = strdup(path))) die("Cannot allocate a path");
}

int is_kept(const char *path) {
  for (size_t i = 0; i < kept_count; i++)
    if (!strcmp(kept[i], path)) return 1;
  return 0;
}

static int lies_in(const char *path, const char *directory) {
  size_t size = strlen(directory);
  return !strncmp(path, directory, size) && (path[size] == '/' || !path[size]);
}

const char *kept_above(const char *path) {
  for (size_t i = 0; i < kept_count; i++)
    if (lies_in(path, kept[i])) return kept[i];
  return NULL;
}

int has_kept_below(const char *path) {
  for (size_t i = 0; i < kept_count; i++)
    if (lies_in(kept[i], path) && strcmp(kept[i], path)) return 1;
  return 0;
}

int is_shown_everywhere(const char *path) {
  static const char *const paths[] = {"/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    if (!strcmp(path, paths[i])) return 1;
  return 0;
}

// Of octal escapes, as mountinfo has for blanks and backslashes.
static void unescape(char *text) {
  char *to = text;
  for (const char *from = text; *from; to++) {
    if (from[0] == '\\' && from[1] && from[2] && from[3]) {
      *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
      from += 4;
    } else *to = *from++;
  }
  *to = 0;
}

void read_kept(void) {
  static const char *const builders[] = {"/kaniko", "/busybox", "/workspace"};
  for (size_t i = 0; i < sizeof builders / sizeof *builders; i++) keep_place(builders[i]);
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (!mounts) die_errno("Cannot open \"/proc/self/mountinfo\"");
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, mounts) > 0) {
    char *at = line, *point = NULL;
    for (int field = 0; field < 5 && at; field++) point = strsep(&at, " ");
    if (!point || !at) continue;
    unescape(point);
    if (strcmp(point, "/")) keep_place(point);
  }
  free(line);
  fclose(mounts);
}

static void expect_link(const char *path, const char *target) {
  char text[PATH_MAX];
  ssize_t size = readlink(path, text, sizeof text - 1);
  if (size >= 0) text[size] = 0;
  if (size < 0 || strcmp(text, target))
    die("Cannot run in place: \"%s\" of this container is not the executor image's", path);
}

// What a runtime makes in a container's root, and what is the image's; empty directories hold nothing that could be lost.
static void expect_known(const char *directory, const char *name) {
  char path[PATH_MAX];
  struct stat now;
  if (is_kept(join_path(path, directory, name))) return;
  if (lstat(path, &now)) die_errno("Cannot look at \"%s\"", path);
  if (S_ISDIR(now.st_mode)) return list_names(path, expect_known);
  if (!strcmp(path, "/bin/sh")) return expect_link(path, "/busybox/sh");
  if (!strcmp(path, "/etc/mtab")) return expect_link(path, "/proc/mounts");
  if ((!strcmp(path, "/.dockerenv") || is_shown_everywhere(path)) && S_ISREG(now.st_mode) && !now.st_size) return;
  die("Cannot run in place: the container's root holds \"%s\", which is not the executor image's", path);
}

void expect_mark(void) {
  char program[PATH_MAX];
  struct stat mark;
  ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
  if (size > 0) program[size] = 0;
  if (lstat("/kaniko/executor-image", &mark) || !S_ISREG(mark.st_mode) || mark.st_uid || size < 0 || strncmp(program, "/kaniko/dist/", 13))
    die("Cannot run in place: this is not the executor image");
  if (geteuid()) die("Cannot run in place: it needs root");
}

void expect_known_root(void) { list_names("/", expect_known); }

// The programs of this container that are not the builder's come from an image. Those of other containers have another root.
static int is_left_over(const char *pid, const struct stat *root) {
  char path[64], program[PATH_MAX];
  struct stat its;
  snprintf(path, sizeof path, "/proc/%s/root", pid);
  if (stat(path, &its) || its.st_dev != root->st_dev || its.st_ino != root->st_ino) return 0;
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  ssize_t size = readlink(path, program, sizeof program - 1);
  if (size <= 0) return 0;
  program[size] = 0;
  return !kept_above(program);
}

void kill_left_over(void) {
  struct stat root;
  if (stat("/", &root)) die_errno("Cannot look at the root");
  for (int found = 1; found;) {
    DIR *processes = opendir("/proc");
    if (!processes) die_errno("Cannot read /proc");
    found = 0;
    for (struct dirent *entry; (entry = readdir(processes));)
      if (isdigit((unsigned char)*entry->d_name) && is_left_over(entry->d_name, &root) && !kill(atoi(entry->d_name), SIGKILL)) found = 1;
    closedir(processes);
    if (found) usleep(2000);
  }
}
