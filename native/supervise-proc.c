// What a path in /proc stands for: the command's own processes, and of the machine what a container shows.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run.h"
#include "supervise.h"

static int is_name(const char *at, size_t size, const char *name) { return size == strlen(name) && !memcmp(at, name, size); }

static size_t part_of(const char *path) { return strcspn(path, "/"); }

static const char *after(const char *path) {
  path += part_of(path);
  return path + strspn(path, "/");
}

static int is_one_of(const char *at, const char *const names[], size_t count) {
  for (size_t i = 0; i < count; i++)
    if (is_name(at, part_of(at), names[i])) return 1;
  return 0;
}

int is_masked_path(const char *view) {
  for (size_t i = 0; i < masked_path_count; i++) {
    size_t size = strlen(masked_paths[i]);
    if (!strncmp(view, masked_paths[i], size) && (view[size] == 0 || view[size] == '/')) return view[size] ? 2 : 1;
  }
  return 0;
}

// Below the directory of a process: `at` is what follows its number in `object->name`.
static void look_into_process(const char *at, int follow, struct object *object) {
  static const char *const links[] = {"exe", "cwd", "root"}, *const tables[] = {"fd", "ns", "map_files"},
                    *const lists[] = {"mounts", "mountinfo", "mountstats"};
  object->is_writable = 1;
  if (is_name(at, part_of(at), "task") && *after(at)) at = after(after(at));
  const char *end = NULL;
  if (is_one_of(at, links, 3)) end = after(at);
  else if (is_one_of(at, tables, 3) && *after(at)) end = after(after(at));
  else object->is_text = is_one_of(at, lists, 3) && !*after(at);
  if (!end) return;
  object->is_link = follow || *end;
  object->is_writable = 0;
  if (!*end) return;
  object->rest = end;
  object->name[end - object->name - 1] = 0;
}

void find_in_proc(const struct call *call, const char *view, int follow, struct object *object) {
  const char *at = view + strlen("/proc"), *rest;
  at += *at == '/';
  *object = (struct object){.kind = SERVED, .base = outside.proc, .view = view, .name = "."};
  if (!*at) return;
  size_t size = part_of(at);
  rest = after(at);
  int is_self = is_name(at, size, "self"), is_thread = is_name(at, size, "thread-self");
  int is_mounts = is_name(at, size, "mounts"), is_net = is_name(at, size, "net");
  char link[48], *written = object->name;
  if (is_self || is_mounts || is_net) snprintf(link, sizeof link, "%d", call->process);
  else if (is_thread) snprintf(link, sizeof link, "%d/task/%d", call->process, call->thread);
  if (!follow && !*rest && (is_self || is_thread || is_mounts || is_net)) {
    object->kind = SHORT_LINK;
    snprintf(object->name, sizeof object->name, "%s", is_mounts ? "self/mounts" : is_net ? "self/net" : link);
    return;
  }
  int used;
  if (is_self || is_thread) used = snprintf(written, PATH_MAX, "%s%s%s", link, *rest ? "/" : "", rest);
  else if (is_mounts || is_net) used = snprintf(written, PATH_MAX, "%s/%s", link, at);
  else used = snprintf(written, PATH_MAX, "%s", at);
  if (used >= PATH_MAX) {
    object->kind = MISSING;
    return;
  }
  if (isdigit((unsigned char)*written)) {
    pid_t pid = atoi(written);
    if (pid != call->process && pid != call->thread && !is_own(pid)) object->kind = MISSING;
    else look_into_process(after(written), follow, object);
    return;
  }
  int masked = is_masked_path(view);
  object->is_masked = masked == 1;
  if (masked == 2) object->kind = MISSING;
}

// The mounts of the machine are not the command's to see; these are what it finds, as a container would list them.
int write_mounts(const char *name) {
  static const struct {
    const char *at, *type, *source, *options;
  } mounts[] = {{"/", "overlay", "overlay", "rw,relatime"},
                {"/proc", "proc", "proc", "rw,nosuid,nodev,noexec,relatime"},
                {"/dev", "tmpfs", "tmpfs", "rw,nosuid,mode=755"},
                {"/dev/pts", "devpts", "devpts", "rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666"},
                {"/dev/shm", "tmpfs", "shm", "rw,nosuid,nodev,noexec,relatime"},
                {"/sys", "sysfs", "sysfs", "ro,nosuid,nodev,noexec,relatime"}};
  const char *last = strrchr(name, '/') + 1;
  int fd = memfd_create("mounts", MFD_CLOEXEC);
  if (fd < 0) return -1;
  for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
    const char *at = mounts[i].at, *type = mounts[i].type, *source = mounts[i].source, *options = mounts[i].options;
    if (!strcmp(last, "mounts")) dprintf(fd, "%s %s %s %s 0 0\n", source, at, type, options);
    else if (!strcmp(last, "mountstats")) dprintf(fd, "device %s mounted on %s with fstype %s\n", source, at, type);
    else
      dprintf(fd, "%zu %d %u:%u / %s %s - %s %s %.2s\n", 100 + i, i == 0 ? 99 : i == 3 || i == 4 ? 102 : 100,
              i ? 0 : major(outside.root.st_dev), i ? 50 + (unsigned)i : minor(outside.root.st_dev), at, options, type, source, options);
  }
  return lseek(fd, 0, SEEK_SET) ? (close(fd), -1) : fd;
}
