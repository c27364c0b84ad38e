// serve: does the other commands, each in a process of its own, for a builder that may not do them itself.
//
// serve [UIDS GIDS] listens on a new socket "socket" in the current directory and says "slipway-helper ready" on stdout. With ids it is root of a user
// namespace that has them (serve-map.c), without them what it is: root, through sudo. It needs no descriptor but that
// socket: sudo closes all but three, and may put others in the place of those.
//
// A connection starts with u8 role, u32 number of the process, u32 length, and as many bytes:
//   'L'       the builder's life: when it ends, so does everything here. Absolute paths, each with a NUL: what is removed then
//   'C'       one process: u8 number of streams, then the arguments, each with a NUL. A byte in it kills the process; the answer is its
//             wait status, u32
//   '0' - '4' a stream of the process
// Who may connect is whom the current directory belongs to.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "serve.h"

int cmd_serve(int argc, char **argv);

enum { STREAMS_MAX = 5, REQUEST_MAX = 1 << 22, WORDS_MAX = 4096, GRACE_MS = 3000 };

struct job {
  uint32_t number;
  int control, streams[STREAMS_MAX], stream_count, wanted;
  char *request;
  size_t size;
  pid_t pid;
};

static struct {
  int listener, signals, life;
  uid_t owner;
  struct job *jobs;
  size_t count, capacity;
  char *rubbish;
  size_t rubbish_size;
} server = {.life = -1};

static struct job *find_job(uint32_t number) {
  for (size_t i = 0; i < server.count; i++)
    if (server.jobs[i].number == number) return &server.jobs[i];
  if (server.count == server.capacity) {
    server.capacity = server.capacity * 2 + 16;
    server.jobs = reallocate(server.jobs, server.capacity * sizeof *server.jobs);
  }
  struct job *job = &server.jobs[server.count++];
  *job = (struct job){.number = number, .control = -1, .wanted = -1};
  for (int i = 0; i < STREAMS_MAX; i++) job->streams[i] = -1;
  return job;
}

static void forget(struct job *job) {
  if (job->control >= 0) close(job->control);
  for (int i = 0; i < STREAMS_MAX; i++)
    if (job->streams[i] >= 0) close(job->streams[i]);
  free(job->request);
  *job = server.jobs[--server.count];
}

// In the new process: its streams, nothing else that was open here, and signals as they are at first.
_Noreturn static void be_command(struct job *job, pid_t parent) {
  char *words[WORDS_MAX];
  int count = 0, kept[STREAMS_MAX];
  words[count++] = "slipway-helper";
  for (size_t at = 1; at < job->size && count < WORDS_MAX - 1; at += strlen(job->request + at) + 1) words[count++] = job->request + at;
  words[count] = NULL;
  for (int i = 0; i < job->wanted; i++) kept[i] = fcntl(job->streams[i], F_DUPFD, STREAMS_MAX);
  for (int i = 0; i < job->wanted; i++)
    if (dup2(kept[i], i) < 0) _exit(1);
  close_the_rest((unsigned)job->wanted);
  sigset_t none;
  sigemptyset(&none);
  for (int i = 1; i < NSIG; i++) signal(i, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (prctl(PR_SET_CHILD_SUBREAPER, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) _exit(1);
  exit(do_command(count, words));
}

static void start(struct job *job) {
  pid_t parent = getpid();
  job->pid = fork();
  if (job->pid == 0) be_command(job, parent);
  for (int i = 0; i < STREAMS_MAX; i++) {
    if (job->streams[i] >= 0) close(job->streams[i]);
    job->streams[i] = -1;
  }
  if (job->pid < 0) forget(job);
}

static int receive(int fd, void *data, size_t size) {
  for (size_t got = 0; got < size;) {
    ssize_t n = read(fd, (char *)data + got, size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    got += (size_t)n;
  }
  return 0;
}

static uint32_t u32_at(const uint8_t *at) { return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24; }

// Whoever connects sends what it starts with at once.
static void take_connection(void) {
  int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  struct ucred peer;
  socklen_t length = sizeof peer;
  uint8_t head[9];
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) || peer.uid != server.owner || receive(fd, head, sizeof head)) {
    close(fd);
    return;
  }
  uint32_t size = u32_at(head + 5);
  char *data = size > REQUEST_MAX ? NULL : allocate(size + 1);
  if (!data || receive(fd, data, size)) {
    free(data);
    close(fd);
    return;
  }
  data[size] = 0;
  if (head[0] == 'L') {
    if (server.life >= 0) close(server.life);
    free(server.rubbish);
    server.life = fd;
    server.rubbish = data;
    server.rubbish_size = size;
    return;
  }
  struct job *job = find_job(u32_at(head + 1));
  if (head[0] == 'C' && size > 0 && job->control < 0) {
    job->control = fd;
    job->request = data;
    job->size = size;
    job->wanted = data[0] > STREAMS_MAX ? STREAMS_MAX : data[0];
  } else {
    free(data);
    int at = head[0] - '0';
    if (at < 0 || at >= STREAMS_MAX || job->streams[at] >= 0) {
      close(fd);
      return;
    }
    job->streams[at] = fd;
    job->stream_count++;
  }
  if (job->stream_count == job->wanted && !job->pid) start(job);
}

static void reap(void) {
  struct signalfd_siginfo info;
  int status;
  while (read(server.signals, &info, sizeof info) > 0) continue;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    for (size_t i = 0; i < server.count; i++) {
      struct job *job = &server.jobs[i];
      if (job->pid != pid) continue;
      uint8_t answer[4] = {(uint8_t)status, (uint8_t)(status >> 8), (uint8_t)(status >> 16), (uint8_t)(status >> 24)};
      if (send(job->control, answer, sizeof answer, MSG_NOSIGNAL) < 0) {}  // nobody wants to know any more
      forget(job);
      break;
    }
}

static void take_order(struct job *job) {
  char order;
  ssize_t n = recv(job->control, &order, 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (job->pid) kill(job->pid, SIGKILL);
  if (n > 0) return;
  shutdown(job->control, SHUT_RD);  // its end is told once
  if (!job->pid) forget(job);
}

// What the builder's end has ended by itself, since its streams have: the rest is killed.
static void end_jobs(void) {
  for (int left = GRACE_MS; server.count > 0 && left > 0; left -= 10) {
    struct pollfd wants = {.fd = server.signals, .events = POLLIN};
    poll(&wants, 1, 10);
    reap();
    for (size_t i = 0; i < server.count; i++)
      if (!server.jobs[i].pid) forget(&server.jobs[i--]);
  }
  kill_descendants();
}

static void serve(void) {
  struct pollfd *wants = NULL;
  while (1) {
    wants = reallocate(wants, (server.count + 3) * sizeof *wants);
    wants[0] = (struct pollfd){.fd = server.signals, .events = POLLIN};
    wants[1] = (struct pollfd){.fd = server.life, .events = POLLIN};
    wants[2] = (struct pollfd){.fd = server.listener, .events = POLLIN};
    size_t watched = server.count;
    for (size_t i = 0; i < watched; i++) wants[i + 3] = (struct pollfd){.fd = server.jobs[i].control, .events = POLLRDHUP | POLLIN};
    if (poll(wants, watched + 3, -1) < 0 && errno != EINTR) return;
    if (wants[1].revents) return;
    // From the last to the first: one that is forgotten has the last in its place.
    for (size_t i = watched; i-- > 0;)
      if (wants[i + 3].revents) take_order(&server.jobs[i]);
    if (wants[0].revents) reap();
    if (wants[2].revents) take_connection();
  }
}

static void listen_here(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  struct stat now;
  int directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // While it is held the directory is no rubbish of a build that has ended.
  if (directory < 0 || fstat(directory, &now) || flock(directory, LOCK_EX | LOCK_NB)) die_errno("Cannot use the current directory");
  server.owner = now.st_uid;
  server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server.listener < 0 || bind(server.listener, (struct sockaddr *)&address, sizeof address) || chmod("socket", 0666) || listen(server.listener, 1024))
    die_errno("Cannot listen on a socket");
}

static void detach(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) _exit(1);
}

_Noreturn static void be_server(void) {
  clearenv();
  umask(022);
  if (setsid() < 0) die_errno("Cannot leave the terminal");
  if (prctl(PR_SET_CHILD_SUBREAPER, 1)) die_errno("Cannot adopt processes");
  listen_here();
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &child, NULL) || (server.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
    die_errno("Cannot wait for signals");
  write_full(1, "slipway-helper ready\n", 21);
  // Nobody may come at all: then nothing is to be done.
  struct pollfd first = {.fd = server.listener, .events = POLLIN};
  if (poll(&first, 1, 30000) <= 0) _exit(1);
  detach();
  if (chdir("/")) _exit(1);
  serve();
  close(server.listener);
  end_jobs();
  for (size_t at = 0; at < server.rubbish_size; at += strlen(server.rubbish + at) + 1) remove_tree(AT_FDCWD, server.rubbish + at);
  _exit(0);
}

int cmd_serve(int argc, char **argv) {
  if (argc != 1 && argc != 3) die("usage: slipway-helper serve [UIDS GIDS]");
  close_the_rest(3);
  // What a terminal or a CI sends to all of a job is the builder's to act on.
  for (int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE}, i = 0; i < 6; i++) signal(ignored[i], SIG_IGN);
  pid_t pid = argc == 3 ? start_mapped(argv[1], argv[2]) : fork();
  if (pid < 0) die_errno("Cannot fork");
  if (pid == 0) be_server();
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
