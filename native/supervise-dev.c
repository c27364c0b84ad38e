// What a path in /dev stands for: devices, where nodes of them cannot be made, and terminals.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "supervise.h"

// Terminals that the command has made; of the others, the job's own among them, it sees none.
static uint64_t terminals[64];

static int knows_terminal(unsigned number) { return number < 64 * 64 && terminals[number / 64] >> number % 64 & 1; }

void remember_terminal(int fd) {
  unsigned number;
  char path[24];
  if (ioctl(fd, TIOCGPTN, &number) || number >= 64 * 64) return;
  terminals[number / 64] |= 1ull << number % 64;
  snprintf(path, sizeof path, "pts/%u", number);
  become_root();
  mknodat(outside.root_dev, path, S_IFREG | 0600, 0);  // for those who list the directory
}

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
enum { DEVICE_COUNT = sizeof devices / sizeof *devices };

static const char *find_device(const char *view) {
  for (int i = 0; i < DEVICE_COUNT; i++)
    if (!strncmp(view, "/dev/", 5) && !strcmp(view + 5, devices[i])) return devices[i];
  return NULL;
}

int has_node(const char *view) { return outside.has_devices && find_device(view); }

static void name_outside(struct object *object, const char *name) {
  object->kind = SERVED;
  object->is_writable = 1;
  object->base = outside.dev;
  snprintf(object->name, sizeof object->name, "%s", name);
}

void find_in_dev(const struct call *call, const char *view, int follow, struct object *object) {
  static const char *const streams[] = {"stdin", "stdout", "stderr"};
  const char *at = view + strlen("/dev");
  at += *at == '/';
  *object = (struct object){.kind = KERNELS_OWN, .view = view};
  char path[PATH_MAX];
  if (!strncmp(at, "fd", 2) && (at[2] == '/' || (at[2] == 0 && follow))) {
    if ((size_t)snprintf(path, sizeof path, "/proc/self/%s", at) < sizeof path) find_in_proc(call, path, follow, object);
    object->view = view;
    return;
  }
  for (int i = 0; i < 3 && follow; i++) {
    if (strcmp(at, streams[i])) continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", i);
    find_in_proc(call, path, 1, object);
    object->view = view;
    return;
  }
  if (!strcmp(at, "ptmx") || !strcmp(at, "pts/ptmx")) {
    name_outside(object, "pts/ptmx");
    object->is_terminal_maker = 1;
    return;
  }
  char *end;
  if (!strncmp(at, "pts/", 4) && at[4]) {
    unsigned long number = strtoul(at + 4, &end, 10);
    if (!*end && number < 64 * 64 && knows_terminal((unsigned)number)) name_outside(object, at);
    else object->kind = MISSING;
    return;
  }
  const char *device = find_device(view);
  if (!device || outside.has_devices) return;
  name_outside(object, device);
  if (!strcmp(device, "tty")) object->kind = TERMINAL;
}

// /dev/tty is the caller's, not the supervisor's.
int open_terminal_of(const struct call *call) {
  char path[32], text[512];
  int parent, group, session, terminal;
  snprintf(path, sizeof path, "%d/stat", call->process);
  int fd = openat(outside.proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
  const char *end = strrchr(text, ')');  // the name before it may hold anything
  if (!end || sscanf(end + 1, " %*c %d %d %d %d", &parent, &group, &session, &terminal) != 4 || terminal == 0) return errno = ENXIO, -1;
  unsigned number = minor((unsigned)terminal);
  if (!knows_terminal(number)) return errno = ENXIO, -1;
  snprintf(path, sizeof path, "pts/%u", number);
  return openat(outside.dev, path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}
