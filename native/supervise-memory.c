// The memory of the processes whose calls are answered. Without CAP_SYS_PTRACE the kernel lets nobody but the same user read it, so
// the supervisor becomes the caller's user, in this thread alone; and what it then opens, that user may open.
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "supervise.h"

enum { PAGE = 4096, KNOWN = 1024 };

static struct user {
  uid_t uid;
  gid_t gid, groups[64];
  int group_count;
} current;
// Whose calls were last answered as which user: spares an attempt where users alternate.
static struct {
  pid_t thread;
  struct user user;
} known[KNOWN];

// The saved ids stay 0, which is the way back.
static int become(const struct user *user) {
  if (user->uid == current.uid && user->gid == current.gid && user->group_count == current.group_count &&
      !memcmp(user->groups, current.groups, (size_t)user->group_count * sizeof(gid_t)))
    return 0;
  if (syscall(SYS_setresuid, 0, 0, 0) || syscall(SYS_setgroups, user->group_count, user->groups)) return -1;
  if (syscall(SYS_setresgid, user->gid, user->gid, 0) || syscall(SYS_setresuid, user->uid, user->uid, 0)) return -1;
  current = *user;
  return 0;
}

void become_root(void) {
  static const struct user root;
  become(&root);
}

int is_waiting(const struct call *call) { return !ioctl(outside.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id); }

static int find_user(const struct call *call) {
  struct process_status status;
  if (read_status(call->thread, &status) || !is_waiting(call)) return -1;
  struct user user = {.uid = status.uid, .gid = status.gid, .group_count = status.group_count};
  memcpy(user.groups, status.groups, sizeof user.groups);
  known[call->thread % KNOWN].thread = call->thread;
  known[call->thread % KNOWN].user = user;
  return become(&user);
}

static ssize_t copy(const struct call *call, int is_write, struct iovec local, uint64_t address) {
  struct iovec remote = {(void *)(uintptr_t)address, local.iov_len};
  return is_write ? process_vm_writev(call->thread, &local, 1, &remote, 1, 0) : process_vm_readv(call->thread, &local, 1, &remote, 1, 0);
}

static ssize_t copy_as_user(const struct call *call, int is_write, void *data, size_t size, uint64_t address) {
  struct iovec local = {data, size};
  if (known[call->thread % KNOWN].thread == call->thread) become(&known[call->thread % KNOWN].user);
  ssize_t n = copy(call, is_write, local, address);
  if (n < 0 && errno == EPERM && !find_user(call)) n = copy(call, is_write, local, address);
  return n;
}

int read_memory(const struct call *call, uint64_t address, void *data, size_t size) {
  return copy_as_user(call, 0, data, size, address) == (ssize_t)size ? 0 : -1;
}

int write_memory(const struct call *call, uint64_t address, const void *data, size_t size) {
  if (!is_waiting(call)) return -1;
  return copy_as_user(call, 1, (void *)data, size, address) == (ssize_t)size ? 0 : -1;
}

// In pieces that do not reach into a page which may not be there; most paths are one.
int read_path(struct call *call, uint64_t address) {
  for (size_t used = 0; used < sizeof call->path;) {
    size_t size = PAGE - (address + used) % PAGE, most = used ? sizeof call->path - used : 256;
    if (size > most) size = most;
    ssize_t n = copy_as_user(call, 0, call->path + used, size, address + used);
    if (n <= 0) return -1;
    if (memchr(call->path + used, 0, (size_t)n)) return 0;
    used += (size_t)n;
  }
  return -1;
}
