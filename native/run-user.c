// The ids of a user namespace: a process outside it must write them, and the process inside waits until it has.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

void open_gate(int gate[2]) {
  if (pipe2(gate, O_CLOEXEC)) die_errno("Cannot make a pipe");
}

static void write_of(pid_t child, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", child, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die_errno("Cannot map the ids of a user namespace in \"%s\"", name);
  close(fd);
}

// What can be mapped is what this process can name: the first of the three columns, also where its own ids are mapped ones.
static void map_own(pid_t child, const char *name) {
  char path[64], map[4096];
  size_t used = 0;
  snprintf(path, sizeof path, "/proc/self/%s", name);
  FILE *own = fopen(path, "re");
  if (!own) die_errno("Cannot open \"%s\"", path);
  for (unsigned long first, outside, count; fscanf(own, "%lu %lu %lu", &first, &outside, &count) == 3 && used < sizeof map - 64;)
    used += (size_t)snprintf(map + used, sizeof map - used, "%lu %lu %lu\n", first, first, count);
  fclose(own);
  write_of(child, name, map);
}

// What anybody may map: himself, once his groups are given up for good.
static void map_one(const struct spec *spec, pid_t child) {
  char text[64];
  write_of(child, "setgroups", "deny");
  snprintf(text, sizeof text, "%u %u 1\n", spec->uid, geteuid());
  write_of(child, "uid_map", text);
  snprintf(text, sizeof text, "%u %u 1\n", spec->gid, getegid());
  write_of(child, "gid_map", text);
}

void map_ids(const struct spec *spec, pid_t child, int gate[2]) {
  close(gate[0]);
  if (spec->one_id) map_one(spec, child);
  else {
    map_own(child, "uid_map");
    map_own(child, "gid_map");
  }
  write_full(gate[1], "", 1);
  close(gate[1]);
}

void await_ids(int gate[2]) {
  char passed;
  ssize_t n;
  close(gate[1]);
  while ((n = read(gate[0], &passed, 1)) < 0 && errno == EINTR) continue;
  if (n != 1) _exit(1);  // who should have written them has said why
  close(gate[0]);
}
