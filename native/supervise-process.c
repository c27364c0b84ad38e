// Which process calls, and which processes are the command's: all that descend from this one.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervise.h"

static const char *field(const char *text, const char *name) {
  const char *at = strstr(text, name);
  return at ? at + strlen(name) : "";
}

int read_status(pid_t thread, struct process_status *status) {
  char path[32], text[4096];
  snprintf(path, sizeof path, "%d/status", thread);
  int fd = openat(outside.proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return -1;
  text[n] = 0;
  // The name of a process stands before these, with its line breaks escaped.
  *status = (struct process_status){.process = atoi(field(text, "\nTgid:")), .parent = atoi(field(text, "\nPPid:"))};
  status->uid = (uid_t)strtoul(field(text, "\nUid:"), NULL, 10);
  status->gid = (gid_t)strtoul(field(text, "\nGid:"), NULL, 10);
  const char *at = field(text, "\nGroups:");
  while (status->group_count < 64) {
    at += strspn(at, " \t");
    if (*at < '0' || *at > '9') break;
    status->groups[status->group_count++] = (gid_t)strtoul(at, (char **)&at, 10);
  }
  return status->process > 0 ? 0 : -1;
}

int find_process(struct call *call) {
  struct process_status status;
  struct stat root;
  char path[32];
  snprintf(path, sizeof path, "%d/root", call->thread);
  if (fstatat(outside.proc, path, &root, 0) || root.st_ino != outside.root.st_ino || root.st_dev != outside.root.st_dev) return -1;
  if (read_status(call->thread, &status)) return -1;
  call->process = status.process;
  return 0;
}

int is_own(pid_t pid) {
  struct process_status status;
  pid_t self = getpid();
  while (pid > 1 && pid != self && !read_status(pid, &status)) {
    if (status.parent == self) return 1;
    pid = status.parent;
  }
  return 0;
}
