// Becomes the command: its user, the capabilities and the filter of Docker's default container, a clean process state.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake-root.h"
#include "run.h"

#define BIT(capability) (1ull << (capability))

// https://github.com/moby/moby/blob/master/daemon/pkg/oci/caps/defaults.go
static uint64_t default_capabilities(void) {
  return BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) | BIT(CAP_SETGID) |
         BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) |
         BIT(CAP_AUDIT_WRITE);
}

static _Noreturn void break_off(int status, const char *what) {
  dprintf(2, "Cannot %s: %s\n", what, strerror(errno));
  send_note(status, (struct note){.kind = NOTE_BROKEN});
  _exit(1);
}

static _Noreturn void refuse(int status, enum refusal refusal, int error) {
  send_note(status, (struct note){.kind = ANSWER_REFUSED, .refusal = (uint8_t)refusal, .value = (uint32_t)error});
  _exit(1);
}

static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static struct __user_cap_header_struct own_capabilities = {.version = _LINUX_CAPABILITY_VERSION_3};

static int read_permitted(uint64_t *permitted) {
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &own_capabilities, sets)) return -1;
  *permitted = sets[0].permitted | (uint64_t)sets[1].permitted << 32;
  return 0;
}

static int set_capabilities(uint64_t permitted) {
  struct __user_cap_data_struct sets[2];
  for (int i = 0; i < 2; i++) {
    uint32_t half = (uint32_t)(permitted >> (32 * i));
    sets[i] = (struct __user_cap_data_struct){.effective = half, .permitted = half, .inheritable = 0};
  }
  return (int)syscall(SYS_capset, &own_capabilities, sets);
}

int limit_capabilities(void) {
  uint64_t held;
  return read_permitted(&held) || set_capabilities(held & default_capabilities());
}

// While the filter can be installed: an owner is given by nobody from here on but the command.
static void pretend(const struct spec *spec, int status, int recorder) {
  if (spec->uid != 0 && !spec->records_calls) return;
  int listener = pretend_to_be_root(spec->uid == 0, spec->records_calls);
  if (listener < 0) break_off(status, spec->records_calls ? "listen to system calls" : "install the filter of a pretended root");
  if (!spec->records_calls) return;
  if (send_listener(recorder, listener)) break_off(status, "hand the system calls over");
  close(listener);
  close(recorder);
}

static void become_user(const struct spec *spec, int status) {
  // Root without the right to change its groups has those of the container.
  if (setgroups(spec->group_count, spec->groups) && !(spec->in_place && errno == EPERM && spec->uid == 0)) break_off(status, "set the supplementary groups");
  if (setresgid(spec->gid, spec->gid, spec->gid)) break_off(status, "set the group");
  if (setresuid(spec->uid, spec->uid, spec->uid)) break_off(status, "set the user");
}

static void drop_privileges(const struct spec *spec, int status, int supervisor) {
  uint64_t held;
  if (read_permitted(&held)) break_off(status, "read the capabilities");
  if (spec->supervised && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) break_off(status, "set no_new_privs");
  for (int i = 0; i < 64; i++)
    if (!(default_capabilities() & BIT(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) && errno == EPERM && spec->namespaces)
      break_off(status, "limit the capabilities");
  // Without no_new_privs, which would disarm setuid programs, only CAP_SYS_ADMIN may install a filter: now or never.
  if (install_seccomp() && (spec->namespaces || spec->supervised || held & BIT(CAP_SYS_ADMIN))) break_off(status, "install the seccomp filter");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (spec->one_id) pretend(spec, status, supervisor);
  else become_user(spec, status);
  if (set_capabilities(spec->uid == 0 ? held & default_capabilities() : 0)) break_off(status, "set the capabilities");
}

// From here on the calls of this process that name a path wait for the supervisor; it ends with that, too.
static void hand_over(const struct spec *spec, int status, int supervisor) {
  // The parent that is seen now may be another one already.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != spec->supervisor) break_off(status, "stay with the supervisor");
  keep_apart(spec->no_network);
  int listener = open_listener(spec->no_network);
  if (listener < 0) break_off(status, "listen to system calls");
  if (send_listener(supervisor, listener)) break_off(status, "hand the system calls over");
  close(listener);
  close(supervisor);
}

// What a command needs most, for the trial.
static void test_supervisor(int status) {
  char text[64] = "", wanted[32];
  int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) break_off(status, "serve /proc to a process");
  snprintf(wanted, sizeof wanted, "%d (", getpid());
  if (strncmp(text, wanted, strlen(wanted))) errno = ESRCH, break_off(status, "serve /proc to a process");
}

static int is_program(const char *path) {
  struct stat now;
  return !stat(path, &now) && S_ISREG(now.st_mode) && !access(path, X_OK);
}

// Go's exec.LookPath, which runc uses.
static const char *find_program(const struct spec *spec) {
  static char path[PATH_MAX];
  const char *name = spec->arguments[0], *list = "";
  if (strchr(name, '/')) return name;
  for (size_t i = 0; i < spec->variable_count; i++)
    if (!strncmp(spec->variables[i], "PATH=", 5)) list = spec->variables[i] + 5;
  for (;;) {
    int size = (int)strcspn(list, ":");
    int used = size ? snprintf(path, sizeof path, "%.*s/%s", size, list, name) : snprintf(path, sizeof path, "./%s", name);
    if ((size_t)used < sizeof path && is_program(path)) return path;
    if (!list[size]) return NULL;
    list += size + 1;
  }
}

_Noreturn void execute(const struct spec *spec, int input, int output, int error, int status, int supervisor) {
  reset_signals();
  setsid();
  umask(022);
  if (input < 0) input = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (input < 0 || dup2(input, 0) < 0) break_off(status, "open /dev/null");
  if (chdir(spec->directory)) refuse(status, REFUSED_DIRECTORY, errno);
  // While no_new_privs is not needed for it.
  if (spec->shared_processes || spec->in_place) keep_apart(spec->no_network);
  if (spec->in_place && spec->no_network && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || install_network_filter()))
    break_off(status, "keep the command from the network");
  drop_privileges(spec, status, supervisor);
  if (spec->supervised) hand_over(spec, status, supervisor);
  if (!spec->argument_count) {
    if (spec->supervised) test_supervisor(status);
    if (spec->records_calls && test_recorder()) break_off(status, "record owners of files");
    _exit(0);
  }
  const char *program = find_program(spec);
  if (!program) refuse(status, REFUSED_NOT_FOUND, 0);
  if (dup2(output, 1) < 0) break_off(status, "pass the output on");
  int errors = fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (dup2(error, 2) < 0) break_off(status, "pass the output on");
  execve(program, spec->arguments, spec->variables);
  int reason = errno;
  dup2(errors, 2);
  struct stat now;
  if (reason == ENOENT && !stat(program, &now)) refuse(status, REFUSED_INTERPRETER, reason);
  refuse(status, reason == ENOENT || reason == ENOTDIR || reason == ELOOP ? REFUSED_NOT_FOUND : REFUSED_EXECUTE, reason);
}
