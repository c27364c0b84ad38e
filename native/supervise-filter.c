// The command's side of the supervisor: the filter that hands calls over, and what keeps the command to its own processes.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"
#include "supervise.h"

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
enum { COMPAT_SOCKET = 359, COMPAT_SOCKETCALL = 102, X32 = 0x40000000 };
#else
#define NATIVE AUDIT_ARCH_AARCH64
enum { COMPAT_SOCKET = 281, COMPAT_SOCKETCALL = -1 /* none */ };
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif

enum { FCHMODAT2 = 452 };  // Linux 6.6, on all machines

// Those that come most often stand first. Those of 32-bit programs are not here: such programs run, and find /proc empty.
const struct handed_call handed_calls[] = {
    {SYS_openat, OPEN, 0, 1, -1, 2},
    {SYS_newfstatat, STAT_FLAGS, 0, 1, 2, 3},
    {SYS_statx, STATX, 0, 1, 4, 2},
    {SYS_readlinkat, READ_LINK, 0, 1, 2, -1},
    {SYS_faccessat, ACCESS, 0, 1, 2, -1},
    {SYS_faccessat2, ACCESS, 0, 1, 2, 3},
    {SYS_openat2, OPEN_HOW, 0, 1, 2, -1},
    {SYS_execve, EXECUTE, -1, 0, -1, -1},
    {SYS_chdir, ENTER, -1, 0, -1, -1},
    {SYS_statfs, FILE_SYSTEM, -1, 0, 1, -1},
    {SYS_getxattr, ATTRIBUTES, -1, 0, -1, -1},
    {SYS_lgetxattr, LINK_ATTRIBUTES, -1, 0, -1, -1},
    {SYS_listxattr, ATTRIBUTES, -1, 0, -1, -1},
    {SYS_llistxattr, LINK_ATTRIBUTES, -1, 0, -1, -1},
    {SYS_utimensat, CHANGE_TIMES, 0, 1, 2, 3},
    {SYS_fchownat, CHANGE_OWNER, 0, 1, 2, 4},
    {SYS_fchmodat, CHANGE_MODE, 0, 1, 2, -1},
    {FCHMODAT2, CHANGE_MODE, 0, 1, 2, 3},
#ifdef SYS_open
    {SYS_access, ACCESS, -1, 0, 1, -1},
    {SYS_readlink, READ_LINK, -1, 0, 1, -1},
    {SYS_stat, STAT, -1, 0, 1, -1},
    {SYS_lstat, LINK_STAT, -1, 0, 1, -1},
    {SYS_open, OPEN, -1, 0, -1, 1},
    {SYS_chmod, CHANGE_MODE, -1, 0, 1, -1},
    {SYS_chown, CHANGE_OWNER, -1, 0, 1, -1},
    {SYS_lchown, CHANGE_LINK_OWNER, -1, 0, 1, -1},
#endif
};
const int handed_call_count = sizeof handed_calls / sizeof *handed_calls;

enum { FILTER_MAX = 160 };

struct program {
  struct sock_filter steps[FILTER_MAX];
  unsigned short size;
};

static void add(struct program *program, struct sock_filter step) { program->steps[program->size++] = step; }
static void load(struct program *program, size_t offset) {
  add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}
static void end(struct program *program, uint32_t answer) { add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer)); }
static void unless_equal_skip(struct program *program, uint32_t value, uint8_t count) {
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count));
}
// Numbers that filters compare are in the low half, on little-endian machines the first.
static size_t argument(int index) { return offsetof(struct seccomp_data, args) + 8 * (size_t)index; }

static void refuse(struct program *program, uint32_t number, int error) {
  unless_equal_skip(program, number, 1);
  end(program, SECCOMP_RET_ERRNO | (uint32_t)error);
}

// Leaves sockets of this machine, and the kernel's own, which glibc asks before it looks a name up. A raw one would do as well as
// one of the network, so all others go.
static void refuse_sockets(struct program *program, uint32_t number) {
  unless_equal_skip(program, number, 6);
  load(program, argument(0));
  unless_equal_skip(program, AF_UNIX, 1);
  end(program, SECCOMP_RET_ALLOW);
  unless_equal_skip(program, AF_NETLINK, 1);
  end(program, SECCOMP_RET_ALLOW);
  end(program, SECCOMP_RET_ERRNO | ENETUNREACH);
}

// Which architectures there may be at all is for the filter of Docker, which stands beside this one.
static void add_foreign(struct program *program, int without_network) {
  if (without_network) {
    load(program, offsetof(struct seccomp_data, nr));
    refuse(program, SYS_io_uring_setup, ENOSYS);
    refuse(program, COMPAT_SOCKETCALL, ENETUNREACH);
    refuse_sockets(program, COMPAT_SOCKET);
  }
  end(program, SECCOMP_RET_ALLOW);
}

static void hand_over_calls(struct program *program) {
  for (int i = 0; i < handed_call_count; i++) {
    const struct handed_call *call = &handed_calls[i];
    if (call->operation == CHANGE_TIMES) {
      // Of a descriptor: what most of these calls are, here without a path.
      unless_equal_skip(program, (uint32_t)call->number, 4);
      load(program, argument(call->path));
      unless_equal_skip(program, 0, 1);
      end(program, SECCOMP_RET_ALLOW);
    } else if (call->flags >= 0 && call->operation != OPEN) {
      unless_equal_skip(program, (uint32_t)call->number, 4);
      load(program, argument(call->flags));
      add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, AT_EMPTY_PATH, 0, 1));
      end(program, SECCOMP_RET_ALLOW);
    } else unless_equal_skip(program, (uint32_t)call->number, 1);
    end(program, SECCOMP_RET_USER_NOTIF);
  }
}

static void add_native(struct program *program, int hands_over, int without_network) {
  load(program, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  // x32 has numbers of its own for the same calls; hardly a kernel has it.
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1));
  end(program, SECCOMP_RET_ERRNO | ENOSYS);
#endif
  if (hands_over) hand_over_calls(program);
  if (without_network) {
    refuse(program, SYS_io_uring_setup, ENOSYS);
    refuse_sockets(program, SYS_socket);
  }
  end(program, SECCOMP_RET_ALLOW);
}

static int install(int hands_over, int without_network, unsigned long flags) {
  struct program program = {.size = 0};
  load(&program, offsetof(struct seccomp_data, arch));
  struct sock_filter *is_native = &program.steps[program.size];
  add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 0, 0));
  add_foreign(&program, without_network);
  is_native->jt = (uint8_t)(&program.steps[program.size] - is_native - 1);
  add_native(&program, hands_over, without_network);
  struct sock_fprog filter = {.len = program.size, .filter = program.steps};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

int open_listener(int without_network) {
  unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  // Once the supervisor has taken a call, only a fatal signal interrupts it: runtimes that signal their own threads would repeat it.
  int listener = install(1, without_network, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  if (listener < 0 && errno == EINVAL) listener = install(1, without_network, flags);
  return listener;
}

int install_network_filter(void) { return install(0, 1, SECCOMP_FILTER_FLAG_SPEC_ALLOW); }

// linux/landlock.h of Linux 6.12.
struct ruleset {
  uint64_t files, network, scoped;
};
enum { SCOPE_ABSTRACT_SOCKETS = 1, SCOPE_SIGNALS = 2 };

void keep_apart(int without_network) {
  struct ruleset ruleset = {.scoped = SCOPE_SIGNALS | (without_network ? SCOPE_ABSTRACT_SOCKETS : 0)};
  int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0u);
  if (fd < 0) return;
  syscall(SYS_landlock_restrict_self, fd, 0u);
  close(fd);
}
