// The filter that pretends, and the recorder of what it pretended.
#include "fake-root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "record.h"

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
enum { X32 = 0x40000000 };
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif

enum { PAGE = 4096 };

// Which arguments are a directory or descriptor, a path, what else it is about (an owner, a mode, room for an answer), and flags; -1 for
// none.
static const struct faked_call {
  int number;
  enum { STATUS, LINK_STATUS, STATUS_MORE, GIVE, GIVE_LINK, MAKE_NODE } operation;
  int8_t directory, path, more, flags;
} faked_calls[] = {
    {SYS_newfstatat, STATUS, 0, 1, 2, 3},
    {SYS_statx, STATUS_MORE, 0, 1, 4, 2},
    {SYS_fstat, STATUS, 0, -1, 1, -1},
#ifdef SYS_stat
    {SYS_stat, STATUS, -1, 0, 1, -1},
    {SYS_lstat, LINK_STATUS, -1, 0, 1, -1},
#endif
    {SYS_fchownat, GIVE, 0, 1, 2, 4},
    {SYS_fchown, GIVE, 0, -1, 1, -1},
    {SYS_mknodat, MAKE_NODE, 0, 1, 2, -1},
#ifdef SYS_chown
    {SYS_chown, GIVE, -1, 0, 1, -1},
    {SYS_lchown, GIVE_LINK, -1, 0, 1, -1},
    {SYS_mknod, MAKE_NODE, -1, 0, 1, -1},
#endif
};
enum { FAKED_COUNT = sizeof faked_calls / sizeof *faked_calls };

// Nobody becomes somebody else; whoever asks afterwards who he is finds himself to be root still.
static const int user_calls[] = {SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_setfsuid, SYS_setfsgid};
enum { USER_COUNT = sizeof user_calls / sizeof *user_calls };

static int is_status(const struct faked_call *call) { return call->operation <= STATUS_MORE; }

int pretend_to_be_root(int is_root, int records) {
  struct sock_filter steps[16 + 2 * USER_COUNT + 8 * FAKED_COUNT];
  unsigned short size = 0;
  uint32_t faked = records ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO;
#define ADD(step) steps[size++] = (struct sock_filter)step
  ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
  ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0));
  ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
#ifdef __x86_64__
  ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1));
  ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
#endif
  for (int i = 0; is_root && i < USER_COUNT; i++) {
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)user_calls[i], 0, 1));
    ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO));
  }
  for (int i = 0; i < FAKED_COUNT; i++) {
    const struct faked_call *call = &faked_calls[i];
    int is_node = call->operation == MAKE_NODE;
    if (!records && (is_status(call) || !is_root)) continue;
    if (is_node && !is_root) continue;
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0, is_node ? 6 : 1));
    if (is_node) {
      ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)call->more)));
      ADD(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, S_IFMT));
      ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFCHR, 2, 0));
      ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFBLK, 1, 0));
      ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    ADD(BPF_STMT(BPF_RET | BPF_K, faked));
  }
  ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
#undef ADD
  struct sock_fprog filter = {.len = size, .filter = steps};
  if (!records) return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter);
  unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  // Once a call is taken, only a fatal signal interrupts it.
  int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &filter);
  if (listener < 0 && errno == EINVAL) listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
  return listener;
}

static struct {
  int listener, proc, upper, owners;
  uint32_t number;
  uid_t uid;
  gid_t gid;
} recorder = {.listener = -1};

// One call that waits; its path is read once.
struct call {
  uint64_t id;
  pid_t thread;
  const uint64_t *arguments;
  char path[PATH_MAX];
};

static int is_waiting(const struct call *call) { return !ioctl(recorder.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id); }

// In pieces that do not reach into a page which may not be there.
static int read_path(struct call *call, uint64_t address) {
  for (size_t used = 0; used < sizeof call->path;) {
    size_t size = PAGE - (address + used) % PAGE, most = used ? sizeof call->path - used : 256;
    if (size > most) size = most;
    struct iovec local = {call->path + used, size}, remote = {(void *)(uintptr_t)(address + used), size};
    ssize_t n = process_vm_readv(call->thread, &local, 1, &remote, 1, 0);
    if (n <= 0) return -1;
    if (memchr(call->path + used, 0, (size_t)n)) return 0;
    used += (size_t)n;
  }
  return errno = ENAMETOOLONG, -1;
}

// /proc/self is not the same for who looks in the caller's place.
static int name_caller(struct call *call) {
  static const char *const names[][2] = {{"/proc/self/", "/"}, {"/proc/thread-self/", "/"}, {"/dev/fd/", "/fd/"}, {"/dev/stdin", "/fd/0"},
                                         {"/dev/stdout", "/fd/1"}, {"/dev/stderr", "/fd/2"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t size = strlen(names[i][0]);
    char rest[PATH_MAX];
    if (strncmp(call->path, names[i][0], size)) continue;
    strcpy(rest, call->path + size);
    return snprintf(call->path, sizeof call->path, "/proc/%d%s%s", call->thread, names[i][1], rest) < PATH_MAX;
  }
  return 0;
}

static int open_of(const struct call *call, const char *name, int number) {
  char path[64];
  if (number < 0) snprintf(path, sizeof path, "%d/%s", call->thread, name);
  else snprintf(path, sizeof path, "%d/%s/%d", call->thread, name, number);
  return openat(recorder.proc, path, O_PATH | O_CLOEXEC);
}

// The directory that the call's path starts from.
static int open_start(const struct call *call, const struct faked_call *what) {
  if (what->path >= 0 && *call->path == '/') return open_of(call, "root", -1);
  int directory = what->directory < 0 ? AT_FDCWD : (int)call->arguments[what->directory];
  if (directory == AT_FDCWD) return open_of(call, "cwd", -1);
  int fd = directory < 0 ? -1 : open_of(call, "fd", directory);
  if (fd < 0 && errno == ENOENT) errno = EBADF;
  return fd;
}

// A call may come from within a chroot of the command's own, where absolute links lead elsewhere.
static int open_target(const struct call *call, const struct faked_call *what, int start) {
  int flags = O_PATH | O_CLOEXEC, more = what->flags < 0 ? 0 : (int)call->arguments[what->flags];
  if (what->path < 0 || (!*call->path && more & AT_EMPTY_PATH)) return fcntl(start, F_DUPFD_CLOEXEC, 0);
  if (what->operation == GIVE_LINK || what->operation == LINK_STATUS || more & AT_SYMLINK_NOFOLLOW) flags |= O_NOFOLLOW;
  if (*call->path != '/' || name_caller((struct call *)call)) return openat(start, call->path, flags);
  struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_IN_ROOT};
  return (int)syscall(SYS_openat2, start, call->path, &how, sizeof how);
}

static const char *path_of(int fd) {
  static char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

// Attributes are reached by the name that a descriptor has in /proc, which is a link: the calls that follow one.
static int save_record(int fd, const struct record *record) {
  return setxattr(path_of(fd), RECORD, record, sizeof *record, 0) && errno != EOPNOTSUPP ? -1 : 0;
}

// What has no attributes is found again by its number in the upper directory: its way there is that in the root.
static void note_owner(int fd, uid_t uid, gid_t gid) {
  char path[PATH_MAX];
  struct stat now;
  ssize_t n = readlink(path_of(fd), path, sizeof path - 1);
  if (n < 2 || *path != '/') return;
  path[n] = 0;
  if (fstatat(recorder.upper, path + 1, &now, AT_SYMLINK_NOFOLLOW)) return;
  struct owner owner = {now.st_ino, born_at(recorder.upper, path + 1), uid, gid, ++recorder.number, 0};
  write_full(recorder.owners, &owner, sizeof owner);
}

static void take_attribute(int fd, struct stat *now) {
  struct record record;
  now->st_uid = recorder.uid;
  now->st_gid = recorder.gid;
  if (getxattr(path_of(fd), RECORD, &record, sizeof record) != (ssize_t)sizeof record) return;
  apply_record(&record, now);
}

// A user other than root may give his files to himself alone.
static int may_give(const struct stat *now, uid_t uid, gid_t gid) {
  if (recorder.uid == 0) return 1;
  return now->st_uid == recorder.uid && (uid == (uid_t)-1 || uid == recorder.uid) && (gid == (gid_t)-1 || gid == recorder.gid || gid == now->st_gid);
}

// The kernel takes set-user-id bits and capabilities away, as it does from root's files.
static int give(int fd, uid_t uid, gid_t gid) {
  struct stat before, after;
  if (fstat(fd, &before)) return -1;
  struct stat now = before;
  take_attribute(fd, &now);
  if (!may_give(&now, uid, gid)) {
    errno = EPERM;
    return -1;
  }
  if (fchownat(fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH) || fstat(fd, &after)) return -1;
  if (uid != (uid_t)-1) now.st_uid = uid;
  if (gid != (gid_t)-1) now.st_gid = gid;
  if (!S_ISREG(before.st_mode) && !S_ISDIR(before.st_mode)) {
    note_owner(fd, now.st_uid, now.st_gid);
    return 0;
  }
  mode_t mode = now.st_mode & ~(before.st_mode & ~after.st_mode & 07777);
  struct record record = {now.st_uid, now.st_gid, mode, after.st_mode & 07777, major(now.st_rdev), minor(now.st_rdev)};
  if (S_ISREG(mode)) removexattr(path_of(fd), RECORDED_CAPABILITY);
  return save_record(fd, &record);
}

static mode_t umask_of(const struct call *call) {
  char path[32], text[256];
  snprintf(path, sizeof path, "%d/status", call->thread);
  int fd = openat(recorder.proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[n < 0 ? 0 : n] = 0;
  const char *at = strstr(text, "\nUmask:");
  return at ? (mode_t)strtoul(at + strlen("\nUmask:"), NULL, 8) : 022;
}

// A file stands for the device.
static int make_node(struct call *call, const struct faked_call *what, int start) {
  char *slash = strrchr(call->path, '/'), *name = slash ? slash + 1 : call->path;
  mode_t mode = (mode_t)call->arguments[what->more];
  dev_t device = (dev_t)call->arguments[what->more + 1];
  char kept[NAME_MAX + 1];
  if (strlen(name) > NAME_MAX) return errno = ENAMETOOLONG, -1;
  if (!*name) {
    errno = *call->path ? EEXIST : ENOENT;
    return -1;
  }
  strcpy(kept, name);
  strcpy(name, ".");
  int parent = open_target(call, what, start);
  if (parent < 0) return -1;
  mode = (mode & S_IFMT) | (mode & 07777 & ~umask_of(call));
  struct record record = {recorder.uid, recorder.gid, mode, shown_mode(S_IFREG | (mode & 07777)), major(device), minor(device)};
  int fd = -1, failed = mknodat(parent, kept, S_IFREG | record.shown, 0) || (fd = openat(parent, kept, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
                        save_record(fd, &record);
  int error = errno;
  if (fd >= 0) close(fd);
  close(parent);
  errno = error;
  return failed ? -1 : 0;
}

static int write_memory(const struct call *call, uint64_t address, void *data, size_t size) {
  struct iovec local = {data, size}, remote = {(void *)(uintptr_t)address, size};
  return is_waiting(call) && process_vm_writev(call->thread, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static int write_status_more(const struct call *call, const struct faked_call *what, int fd, const struct stat *now) {
  struct statx more;
  if (statx(fd, "", AT_EMPTY_PATH, (unsigned)call->arguments[3], &more)) return 0;
  more.stx_uid = now->st_uid;
  more.stx_gid = now->st_gid;
  more.stx_mode = (uint16_t)now->st_mode;
  more.stx_size = (uint64_t)now->st_size;
  more.stx_rdev_major = major(now->st_rdev);
  more.stx_rdev_minor = minor(now->st_rdev);
  return write_memory(call, call->arguments[what->more], &more, sizeof more);
}

// Tells what the record says; 0 where that is what the kernel says, or where anything is amiss, which the kernel then says.
static int tell_status(struct call *call, const struct faked_call *what) {
  struct stat now, told;
  struct record record;
  if (what->path >= 0) {
    uint64_t address = call->arguments[what->path];
    if (!address) *call->path = 0;
    else if (read_path(call, address)) return 0;
  }
  int start = open_start(call, what), fd = start < 0 ? -1 : open_target(call, what, start), done = 0;
  if (fd >= 0 && !fstat(fd, &now) && (S_ISREG(now.st_mode) || S_ISDIR(now.st_mode)) &&
      getxattr(path_of(fd), RECORD, &record, sizeof record) == (ssize_t)sizeof record) {
    told = now;
    int is_other = !apply_record(&record, &told) && (told.st_uid != now.st_uid || told.st_gid != now.st_gid || told.st_mode != now.st_mode);
    if (is_other && what->operation == STATUS_MORE) done = write_status_more(call, what, fd, &told);
    else if (is_other) done = write_memory(call, call->arguments[what->more], &told, sizeof told);
  }
  if (fd >= 0) close(fd);
  if (start >= 0) close(start);
  return done;
}

static int do_call(struct call *call, const struct faked_call *what) {
  // A process may have shut its memory to others: what it asks for is granted all the same, and nobody hears of it.
  if (what->path >= 0 && read_path(call, call->arguments[what->path])) return errno == EPERM ? 0 : -1;
  int start = open_start(call, what);
  if (start < 0) return -1;
  // The number may have become another process's meanwhile: then nobody waits.
  int failed = 0;
  if (!is_waiting(call)) {
    close(start);
    return 0;
  }
  if (what->operation == MAKE_NODE) failed = make_node(call, what, start);
  else {
    int fd = open_target(call, what, start);
    failed = fd < 0 || give(fd, (uid_t)call->arguments[what->more], (gid_t)call->arguments[what->more + 1]);
    int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
  }
  int error = errno;
  close(start);
  errno = error;
  return failed ? -1 : 0;
}

static void *record_calls(void *unused) {
  static struct call call;
  (void)unused;
  for (;;) {
    struct seccomp_notif request = {0};
    if (ioctl(recorder.listener, SECCOMP_IOCTL_NOTIF_RECV, &request)) {
      if (errno == EINTR || errno == ENOENT) continue;  // who called was killed
      break;
    }
    const struct faked_call *what = faked_calls;
    while (what->number != request.data.nr) what++;
    call.id = request.id;
    call.thread = (pid_t)request.pid;
    call.arguments = (const uint64_t *)request.data.args;
    struct seccomp_notif_resp response = {.id = call.id};
    if (!is_status(what)) response.error = do_call(&call, what) ? -errno : 0;
    else if (!tell_status(&call, what)) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(recorder.listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
  close(recorder.listener);
  return NULL;
}

void open_records(const struct spec *spec) {
  char path[PATH_MAX];
  if ((size_t)snprintf(path, sizeof path, "%s.owners", spec->upper) >= sizeof path) die("Cannot record owners: \"%s\" is too long", spec->upper);
  recorder.owners = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  recorder.upper = open(spec->upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (recorder.owners < 0 || recorder.upper < 0) die_errno("Cannot record owners in \"%s\"", path);
  recorder.uid = spec->uid;
  recorder.gid = spec->gid;
  struct owner owner = {.uid = spec->uid, .gid = spec->gid};
  write_full(recorder.owners, &owner, sizeof owner);
}

void start_recorder(const struct spec *spec, int channel) {
  if (!spec->records_calls) return;
  recorder.listener = receive_listener(channel);
  if (recorder.listener < 0) return;  // the command's process says why
  recorder.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (recorder.proc < 0) die_errno("Cannot open /proc");
  umask(0);
  pthread_t thread;
  if ((errno = pthread_create(&thread, NULL, record_calls, NULL))) die_errno("Cannot start the recorder");
}

int test_recorder(void) {
  struct stat now;
  // As a program is that has been executed.
  if (prctl(PR_SET_DUMPABLE, 1)) return -1;
  if (chown("/", 7, 8) || stat("/", &now)) return -1;
  if (read_record("/", &now)) return -1;
  if (now.st_uid != 7 || now.st_gid != 8) return errno = ESRCH, -1;
  return 0;
}
