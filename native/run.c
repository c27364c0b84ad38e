// run: runs one command in a root of its own, passes its output on, and leaves nothing of it behind.
//
// With namespaces there are three processes: this one, which stays outside and listens to the builder; the first process of
// the namespaces, which sets everything up and reaps; and the command. Without, this one does the work of the first two.
// Descriptors: 0 the builder's frames, whose end ends the command; 1 answers; 2 errors; 3 and 4 the command's output.
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include "fake-root.h"

enum { CONTROL = 0, ANSWERS = 1, OUTPUT = 3, ERROR = 4, HOLD_ALONE = 2 };

static char *keep(const char *text) {
  char *copy = strdup(text);
  if (!copy) die("Cannot allocate %zu bytes", strlen(text));
  return copy;
}

static void *grow(void *list, size_t count, size_t size) { return count % 64 ? list : reallocate(list, (count + 64) * size); }

static void take_user(struct spec *spec, struct frame *frame) {
  spec->uid = take_u32(frame);
  spec->gid = take_u32(frame);
  spec->group_count = take_u32(frame);
  if (spec->group_count > 65536) die("Cannot use %zu supplementary groups: 65536 at most", spec->group_count);
  spec->groups = allocate((spec->group_count + 1) * sizeof(gid_t));
  for (size_t i = 0; i < spec->group_count; i++) spec->groups[i] = take_u32(frame);
}

static struct mount *add_mount(struct spec *spec, struct frame *frame, enum mount_kind kind) {
  spec->mounts = grow(spec->mounts, spec->mount_count, sizeof(struct mount));
  struct mount *mount = &spec->mounts[spec->mount_count++];
  *mount = (struct mount){.kind = kind, .target = keep(take_string(frame))};
  return mount;
}

static void take_mount(struct spec *spec, struct frame *frame) {
  struct mount *mount;
  uint32_t size;
  switch (frame->kind) {
    case SPEC_BIND:
      mount = add_mount(spec, frame, MOUNT_BIND);
      mount->directory = keep(take_string(frame));
      mount->below = keep(take_string(frame));
      mount->writable = take_u8(frame);
      return;
    case SPEC_TMPFS:
      mount = add_mount(spec, frame, MOUNT_TMPFS);
      mount->size = take_u64(frame);
      mount->writable = take_u8(frame);
      return;
    default:
      mount = add_mount(spec, frame, MOUNT_CONTENT);
      mount->mode = take_u32(frame) & 07777;
      mount->uid = take_u32(frame);
      mount->gid = take_u32(frame);
      mount->executable = take_u8(frame);
      const char *content = take_bytes(frame, &size);
      mount->content = memcpy(allocate(size + 1), content, size);
      mount->content_size = size;
      explicit_bzero((char *)content, size);
  }
}

static void take_field(struct spec *spec, struct frame *frame) {
  switch (frame->kind) {
    case SPEC_NAMESPACES:
      spec->namespaces = 1;
      spec->upper = keep(take_string(frame));
      spec->work = keep(take_string(frame));
      spec->stage = keep(take_string(frame));
      return;
    case SPEC_USER_NAMESPACE:
      spec->user_namespace = 1;
      spec->shared_processes = take_u8(frame);
      uint8_t ids = take_u8(frame);
      spec->one_id = ids != IDS_ALL;
      spec->records_calls = ids == IDS_RECORDED;
      return;
    case SPEC_CHROOT:
      spec->root = keep(take_string(frame));
      spec->scratch = keep(take_string(frame));
      spec->supervised = take_u8(frame);
      return;
    case SPEC_IN_PLACE:
      spec->in_place = 1;
      spec->root = keep(take_string(frame));
      spec->scratch = keep(take_string(frame));
      return;
    case SPEC_KEPT:
      spec->kept = grow(spec->kept, spec->kept_count, sizeof(char *));
      spec->kept[spec->kept_count++] = keep(take_string(frame));
      return;
    case SPEC_LOWER:
      spec->lowers = grow(spec->lowers, spec->lower_count, sizeof(char *));
      spec->lowers[spec->lower_count++] = keep(take_string(frame));
      return;
    case SPEC_ARGUMENT:
      spec->arguments = grow(spec->arguments, spec->argument_count, sizeof(char *));
      spec->arguments[spec->argument_count++] = keep(take_string(frame));
      return;
    case SPEC_VARIABLE:
      spec->variables = grow(spec->variables, spec->variable_count, sizeof(char *));
      spec->variables[spec->variable_count++] = keep(take_string(frame));
      return;
    case SPEC_PLACE:
      spec->directory = keep(take_string(frame));
      spec->hostname = keep(take_string(frame));
      spec->no_network = take_u8(frame);
      return;
    case SPEC_USER: take_user(spec, frame); return;
    case SPEC_FILE:
      if (spec->file_count == FILES_MAX) die("Cannot show more than %d files", FILES_MAX);
      spec->files[spec->file_count].path = keep(take_string(frame));
      spec->files[spec->file_count].source = keep(take_string(frame));
      spec->files[spec->file_count++].needs_directory = take_u8(frame);
      return;
    case SPEC_BIND:
    case SPEC_TMPFS:
    case SPEC_CONTENT: take_mount(spec, frame); return;
    default: die("Cannot read from the builder: message %u is unknown", frame->kind);
  }
}

static void read_spec(struct spec *spec) {
  struct reader reader;
  struct frame frame;
  reader_open(&reader, CONTROL);
  for (;;) {
    if (!read_frame(&reader, &frame)) exit(0);  // the builder changed its mind
    if (frame.kind == SPEC_GO) break;
    take_field(spec, &frame);
  }
  if (!spec->directory || (!spec->namespaces && !spec->root)) die("Cannot run: the builder's request is incomplete");
  spec->arguments = reallocate(spec->arguments, (spec->argument_count + 1) * sizeof(char *));
  spec->arguments[spec->argument_count] = NULL;
  spec->variables = reallocate(spec->variables, (spec->variable_count + 1) * sizeof(char *));
  spec->variables[spec->variable_count] = NULL;
}

void send_note(int fd, struct note note) { write_full(fd, &note, sizeof note); }

static void answer(struct note note) {
  struct writer writer;
  writer_open(&writer, ANSWERS);
  begin_frame(&writer, note.kind);
  if (note.kind == ANSWER_REFUSED) put_u8(&writer, note.refusal);
  put_u32(&writer, note.value);
  end_frame(&writer);
  flush_writer(&writer);
  free(writer.data);
}

void tell_written(const char *path) {
  struct writer writer;
  writer_open(&writer, ANSWERS);
  begin_frame(&writer, ANSWER_WRITTEN);
  put_string(&writer, path);
  end_frame(&writer);
  flush_writer(&writer);
  free(writer.data);
}

// A pipe for the command to write to, rather than the builder's own descriptor: that may be a socket, which /dev/stdout cannot
// open, and it would be root's.
struct stream {
  int from, to;
  size_t start, end;
  char data[1 << 16];
};

static int open_stream(struct stream *stream, const struct spec *spec, int to) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) die_errno("Cannot make a pipe");
  if (!spec->one_id && fchown(ends[1], spec->uid, spec->gid)) die_errno("Cannot give the output to user %u", spec->uid);
  stream->from = ends[0];
  stream->to = to;
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) || fcntl(to, F_SETFD, FD_CLOEXEC) || fcntl(to, F_SETFL, fcntl(to, F_GETFL) | O_NONBLOCK))
    die_errno("Cannot use descriptor %d", to);
  return ends[1];
}

static struct pollfd stream_wants(const struct stream *stream) {
  if (stream->end > stream->start) return (struct pollfd){.fd = stream->to, .events = POLLOUT};
  return (struct pollfd){.fd = stream->from, .events = POLLIN};
}

static void move_stream(struct stream *stream) {
  if (stream->from < 0) return;
  if (stream->start == stream->end) {
    ssize_t n = read(stream->from, stream->data, sizeof stream->data);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      close(stream->from);
      stream->from = -1;
      return;
    }
    stream->start = 0;
    stream->end = (size_t)n;
  }
  ssize_t n = write(stream->to, stream->data + stream->start, stream->end - stream->start);
  if (n >= 0) stream->start += (size_t)n;
  else if (errno != EAGAIN && errno != EINTR) stream->start = stream->end;  // nobody listens any more
}

// What this process knows of the run.
static struct run {
  struct stream streams[2];
  int status, signals;
  pid_t child;
  int child_ended, child_status, cancelled;
  struct note end;
} run;

static void read_notes(void) {
  struct note note;
  while (read(run.status, &note, sizeof note) == (ssize_t)sizeof note) {
    if (note.kind == ANSWER_NO_DEVICE) answer(note);
    else if (run.end.kind != ANSWER_REFUSED && run.end.kind != NOTE_BROKEN) run.end = note;
  }
}

static void reap(void) {
  struct signalfd_siginfo info;
  while (read(run.signals, &info, sizeof info) > 0) continue;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != run.child) continue;
    run.child_ended = 1;
    run.child_status = status;
  }
}

// Serves until the child has ended or the builder has hung up; then, with `drain`, until all output has left.
static void serve(int drain) {
  while (!run.cancelled && (drain ? run.streams[0].from >= 0 || run.streams[1].from >= 0 : !run.child_ended && run.end.kind != ANSWER_ENDED)) {
    struct pollfd wants[5] = {stream_wants(&run.streams[0]), stream_wants(&run.streams[1]), {.fd = CONTROL, .events = POLLIN},
                              {.fd = run.signals, .events = POLLIN}, {.fd = run.status, .events = POLLIN}};
    if (poll(wants, drain ? 3 : 5, -1) < 0 && errno != EINTR) die_errno("Cannot wait for the command");
    if (wants[0].revents) move_stream(&run.streams[0]);
    if (wants[1].revents) move_stream(&run.streams[1]);
    if (wants[2].revents) {
      char rest[64];
      ssize_t n = read(CONTROL, rest, sizeof rest);
      if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) run.cancelled = 1;
    }
    if (drain) continue;
    if (wants[4].revents & POLLIN) read_notes();
    if (wants[3].revents) reap();
  }
}

// Where the namespaces have no end of their own: waits for the command, or until this process's parent is gone.
static int wait_beside_others(pid_t command) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  sigaddset(&wanted, SIGTERM);
  for (;;) {
    int ended;
    for (pid_t pid; (pid = waitpid(-1, &ended, WNOHANG)) > 0;)
      if (pid == command) return ended;
    if (sigwaitinfo(&wanted, NULL) != SIGTERM) continue;
    kill_descendants();
    _exit(1);
  }
}

// The parent's death is a signal that waits until there is something to end.
static int become_reaper(void) {
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  return sigprocmask(SIG_BLOCK, &end, NULL) || prctl(PR_SET_CHILD_SUBREAPER, 1) || prctl(PR_SET_PDEATHSIG, SIGTERM);
}

// The first process of the namespaces: sets up, starts the command, reaps, cleans up.
_Noreturn static void be_init(const struct spec *spec, int status, int output, int error) {
  signal(SIGPIPE, SIG_DFL);
  if (spec->shared_processes ? become_reaper() : prctl(PR_SET_PDEATHSIG, SIGKILL)) die_errno("Cannot set up the sandbox");
  if (prctl(PR_SET_DUMPABLE, 0) || atexit(leave_namespaces)) die_errno("Cannot set up the sandbox");
  int channel[2] = {-1, -1};
  if (spec->one_id) open_records(spec);
  enter_namespaces(spec);
  if (spec->records_calls && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel)) die_errno("Cannot make a socket");
  pid_t command = fork();
  if (command < 0) die_errno("Cannot fork");
  if (command == 0) execute(spec, -1, output, error, status, channel[1]);
  close(channel[1]);
  start_recorder(spec, channel[0]);
  close(output);
  close(error);
  int ended;
  if (spec->shared_processes) {
    ended = wait_beside_others(command);
    kill_descendants();
  } else {
    for (pid_t pid; (pid = waitpid(-1, &ended, 0)) != command;)
      if (pid < 0 && errno != EINTR) die_errno("Cannot wait for the command");
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
  }
  leave_namespaces();
  send_note(status, (struct note){.kind = ANSWER_ENDED, .value = (uint32_t)ended});
  _exit(0);
}

// Gives 0 in the new process, which a user namespace makes a start from nothing: its ids come from outside.
static pid_t start_init(const struct spec *spec) {
  int gate[2], flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | (spec->no_network ? CLONE_NEWNET : 0) | SIGCHLD;
  if (spec->user_namespace) flags |= CLONE_NEWUSER;
  if (!spec->shared_processes) flags |= CLONE_NEWPID;
  if (spec->user_namespace) open_gate(gate);
  pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
  if (pid < 0 && errno == EINVAL) pid = (pid_t)syscall(SYS_clone, flags & ~CLONE_NEWCGROUP, NULL, NULL, NULL, NULL);
  if (pid < 0) die_errno("Cannot make %snamespaces", spec->user_namespace ? "user " : "");
  if (!spec->user_namespace) return pid;
  if (pid == 0) await_ids(gate);
  else map_ids(spec, pid, gate);
  return pid;
}

// Holds the directories that the builder names, one path a frame, against sweeps, or with HOLD_ALONE against everybody else; answers
// 1 or, where one is gone or somebody else's, 0.
static int hold_directories(void) {
  struct reader reader;
  struct frame frame;
  reader_open(&reader, CONTROL);
  while (read_frame(&reader, &frame)) {
    int fd = open(take_string(&frame), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat now;
    uint8_t held = fd >= 0 && !flock(fd, (frame.kind == HOLD_ALONE ? LOCK_EX : LOCK_SH) | LOCK_NB) && !fstat(fd, &now) && now.st_nlink > 0;
    if (fd >= 0 && !held) close(fd);
    write_full(ANSWERS, &held, 1);
  }
  return 0;
}

// What the builder's own parent left open would be the command's to find.
void close_the_rest(unsigned first) {
  if (!syscall(SYS_close_range, first, ~0u, 0u)) return;
  long limit = sysconf(_SC_OPEN_MAX);
  for (unsigned fd = first; fd < (limit > 0 && limit < 65536 ? (unsigned)limit : 65536u); fd++) close((int)fd);
}

static void leave(void) {
  leave_in_place();
  leave_chroot();
}

int cmd_run(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "hold")) return hold_directories();
  if (argc > 1 && !strcmp(argv[1], "recover")) return recover_in_place();
  close_the_rest(ERROR + 1);
  static struct spec spec;
  read_spec(&spec);
  // A terminal's Ctrl-C reaches this process too; the builder decides what it means.
  for (int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}, i = 0; i < 5; i++) signal(ignored[i], SIG_IGN);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  int notes[2], output = open_stream(&run.streams[0], &spec, OUTPUT), error = open_stream(&run.streams[1], &spec, ERROR);
  if (pipe2(notes, O_CLOEXEC) || fcntl(notes[0], F_SETFL, O_NONBLOCK)) die_errno("Cannot make a pipe");
  run.status = notes[0];
  if (sigprocmask(SIG_BLOCK, &child, NULL) || (run.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
    die_errno("Cannot wait for signals");

  if (spec.namespaces) {
    // What the first process leaves when it is killed comes here.
    if (spec.shared_processes && prctl(PR_SET_CHILD_SUBREAPER, 1)) die_errno("Cannot set up the sandbox");
    run.child = start_init(&spec);
    if (run.child == 0) be_init(&spec, notes[1], output, error);
  } else {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) || atexit(leave)) die_errno("Cannot set up the sandbox");
    int channel[2] = {-1, -1};
    if (spec.in_place) enter_in_place(&spec);
    else enter_chroot(&spec, notes[1]);
    if (spec.supervised && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel)) die_errno("Cannot make a socket");
    spec.supervisor = getpid();
    run.child = fork();
    if (run.child < 0) die_errno("Cannot fork");
    if (run.child == 0) execute(&spec, null, output, error, notes[1], channel[1]);
    if (spec.supervised) {
      close(channel[1]);
      start_supervisor(channel[0]);
    }
  }
  close(notes[1]);
  close(output);
  close(error);
  serve(0);
  if (spec.namespaces) {
    // The first process says that the command has ended when no other is left. That it takes its mounts down takes as long as all
    // the rest, and nobody need wait for it.
    if (spec.shared_processes && run.end.kind != ANSWER_ENDED) kill_descendants();
    else if (!run.child_ended && run.end.kind != ANSWER_ENDED) {
      kill(run.child, SIGKILL);
      waitpid(run.child, &run.child_status, 0);
    }
  } else {
    kill_descendants();
    leave();
    if (has_been_moved()) return 1;  // stderr says what
    read_notes();
    if (run.child_ended && !run.end.kind) run.end = (struct note){.kind = ANSWER_ENDED, .value = (uint32_t)run.child_status};
  }
  if (run.cancelled) return 0;
  read_notes();
  serve(1);
  if (run.end.kind == NOTE_BROKEN) return 1;  // stderr says why
  if (run.end.kind == 0) {
    if (WIFSIGNALED(run.child_status)) die("Cannot run: the sandbox was killed by signal %d", WTERMSIG(run.child_status));
    return 1;
  }
  answer(run.end);
  // A child of this one would become the builder's, and the first process of a container reaps nobody but its own.
  if (getppid() == 1 && !run.child_ended) waitpid(run.child, NULL, 0);
  return 0;
}
