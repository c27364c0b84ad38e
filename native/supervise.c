// The supervisor's loop: takes the calls that the command's filter hands over, one after the other, and answers each.
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "run.h"

struct outside outside = {.listener = -1};

// linux/seccomp.h of Linux 6.6: the command and the supervisor take turns on one processor, without a detour over another.
#define SET_FLAGS SECCOMP_IOW(4, uint64_t)
enum { SYNC_WAKE_UP = 1 };

static void respond(const struct call *call, struct seccomp_notif_resp response) {
  response.id = call->id;
  ioctl(outside.listener, SECCOMP_IOCTL_NOTIF_SEND, &response);  // fails where the caller was killed
}

void pass_on(const struct call *call) { respond(call, (struct seccomp_notif_resp){.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE}); }

void answer_call(const struct call *call, int64_t value, int error) { respond(call, (struct seccomp_notif_resp){.val = value, .error = -error}); }

void hand_in(const struct call *call, int fd, int flags) {
  struct seccomp_notif_addfd given = {.id = call->id, .srcfd = (uint32_t)fd, .flags = SECCOMP_ADDFD_FLAG_SEND};
  given.newfd_flags = (uint32_t)flags & O_CLOEXEC;
  if (ioctl(outside.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &given) < 0 && errno != ENOENT) answer_call(call, 0, errno);
}

static int follows(const struct handed_call *what, const uint64_t *arguments, int flags) {
  switch (what->operation) {
    case LINK_STAT:
    case LINK_ATTRIBUTES:
    case CHANGE_LINK_OWNER:
    case READ_LINK: return 0;
    case OPEN:
    case OPEN_HOW: return !(flags & O_NOFOLLOW);
    case STAT_FLAGS:
    case STATX: return !(arguments[what->flags] & AT_SYMLINK_NOFOLLOW);
    case ACCESS:
    case CHANGE_MODE:
    case CHANGE_OWNER:
    case CHANGE_TIMES: return what->flags < 0 || !(arguments[what->flags] & AT_SYMLINK_NOFOLLOW);
    default: return 1;
  }
}

// "link/", "link/." and "link/.." name what the link leads to.
static int names_directory(const char *path) {
  const char *last = strrchr(path, '/');
  return last && (!last[1] || !strcmp(last, "/.") || !strcmp(last, "/.."));
}

static void find_object(const struct call *call, enum tree tree, const char *view, int follow, struct object *object) {
  if (tree == TREE_PROC) return find_in_proc(call, view, follow, object);
  if (tree == TREE_DEV) return find_in_dev(call, view, follow, object);
  *object = (struct object){.kind = SERVED, .base = outside.sys, .view = view};
  const char *below = view + strlen("/sys");
  snprintf(object->name, sizeof object->name, "%s", *below ? below + 1 : ".");
  int masked = is_masked_path(view);
  object->is_masked = masked == 1;
  if (masked == 2) object->kind = MISSING;
}

// Those of an open; of openat2 only where it asks for nothing more than openat could.
static int read_flags(const struct call *call, const struct handed_call *what, int *flags) {
  struct open_how how = {0};
  if (what->operation == OPEN) how.flags = call->arguments[what->flags];
  if (what->operation == OPEN_HOW && (read_memory(call, call->arguments[what->more], &how, sizeof how) || how.resolve)) return -1;
  *flags = (int)how.flags;
  return 0;
}

static void serve_call(const struct seccomp_notif *request) {
  static struct call call;
  static struct object object;
  static char view[PATH_MAX];
  const struct handed_call *what = handed_calls;
  while (what->number != request->data.nr) what++;
  call.id = request->id;
  call.thread = (pid_t)request->pid;
  call.process = 0;
  call.arguments = (const uint64_t *)request->data.args;
  int directory = what->directory < 0 ? AT_FDCWD : (int)call.arguments[what->directory], flags, held;
  if (read_path(&call, call.arguments[what->path]) || read_flags(&call, what, &flags)) return pass_on(&call);
  int follow = follows(what, call.arguments, flags) || names_directory(call.path);
  enum tree tree = locate(&call, directory, follow, view);
  int content = tree == TREE_NONE ? find_content(&call, directory, follow, &held) : -1;
  if (content >= 0) {
    serve_content(&call, what, content, held, flags);
    close(held);
    return;
  }
  if (tree == TREE_NONE || (tree == TREE_DEV && has_node(view)) || find_process(&call)) return pass_on(&call);
  find_object(&call, tree, view, follow, &object);
  // What /dev leads to may be in /proc.
  serve_object(&call, what, object.base == outside.proc ? TREE_PROC : tree, &object, follow, flags);
}

// Whether no process has the filter any more. That a call's process was killed before the call was taken is no end.
static int is_left(void) {
  struct pollfd wanted = {.fd = outside.listener};
  return poll(&wanted, 1, 0) > 0 && wanted.revents & POLLHUP;
}

static void *supervise(void *unused) {
  (void)unused;
  // The rights of a command and no more, in this thread: what it opens is opened for one.
  for (int failed = limit_capabilities(); !failed;) {
    struct seccomp_notif request = {0};
    if (!ioctl(outside.listener, SECCOMP_IOCTL_NOTIF_RECV, &request)) serve_call(&request);
    else if (errno == ENOENT ? is_left() : errno != EINTR) break;
  }
  close(outside.listener);  // whoever still waits gets ENOSYS
  return NULL;
}

void open_outside(int proc) {
  outside.proc = proc;
  outside.sys = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  outside.dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void expect_devices(int usable) { outside.has_devices = usable; }

int receive_listener(int channel) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int listener;
  ssize_t n;
  while ((n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) continue;
  struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (!head || head->cmsg_type != SCM_RIGHTS) return -1;
  memcpy(&listener, CMSG_DATA(head), sizeof(int));
  uint64_t flags = SYNC_WAKE_UP;
  ioctl(listener, SET_FLAGS, flags);
  return listener;
}

void start_supervisor(int channel) {
  outside.listener = receive_listener(channel);
  if (outside.listener < 0) return;  // the command's process says why it has none
  struct statfs fs;
  if (stat("/", &outside.root) || statfs("/", &fs)) die_errno("Cannot read the root");
  outside.root_type = (long)fs.f_type;
  outside.root_proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  outside.root_sys = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  outside.root_dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  pthread_t thread;
  if ((errno = pthread_create(&thread, NULL, supervise, NULL))) die_errno("Cannot start the supervisor");
}

int send_listener(int channel, int listener) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec data = {"", 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(head), &listener, sizeof(int));
  return sendmsg(channel, &message, 0) == 1 ? 0 : -1;
}
