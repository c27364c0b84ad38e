// What the files of `run` share: one command to be run, and the steps of running it.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"

enum { FILES_MAX = 8 };

// What the builder asks for, in frames on stdin; the last is SPEC_GO. Paths are absolute.
enum spec_kind {
  SPEC_NAMESPACES = 1,  // string upper, string work, string stage (an empty directory to mount on)
  SPEC_CHROOT = 2,      // string root, string scratch (an empty directory of the same file system), u8 1 for a supervisor
  SPEC_LOWER = 3,       // string directory; from the top to the bottom
  SPEC_ARGUMENT = 4,    // string; with none, everything is set up and the command is "exit 0"
  SPEC_VARIABLE = 5,    // string NAME=value
  SPEC_PLACE = 6,       // string working directory, string host name, u8 1 for no network
  SPEC_USER = 7,        // u32 uid, u32 gid, u32 count, u32 each supplementary group
  SPEC_FILE = 8,        // string path in the root, string source, u8 1 for only where its directory is: shown to the command, read-only
                        // where possible, never kept
  SPEC_GO = 9,
  // Mounts, in the order in which they are put in place; targets are absolute paths in the root. Never kept.
  SPEC_BIND = 10,     // string target, string directory, string what of it (below it, no symlink on the way), u8 1 for writable
  SPEC_TMPFS = 11,    // string target, u64 size in bytes or 0, u8 1 for writable
  SPEC_CONTENT = 12,  // string target, u32 mode, u32 uid, u32 gid, u8 1 for executable, bytes: a read-only file that is on no disk
                      // where anything can be mounted
  SPEC_USER_NAMESPACE = 13,  // u8 1 where the command has the machine's processes beside it, u8 enum id_map: the namespaces are in one
                             // for users, and overlayfs keeps its marks in user.overlay.*
  SPEC_IN_PLACE = 14,  // string root, string scratch: what the root holds comes into the container's own root
  SPEC_KEPT = 15,      // string path that the builder needs while a command runs in place
};

// The ids of a user namespace: all that the builder has, or the command's user alone, who then stands for the builder's; with
// IDS_RECORDED a supervisor writes down what owners files are given, see fake-root.h.
enum id_map { IDS_ALL, IDS_ONE, IDS_RECORDED };

// What the builder is told, in frames on stdout.
enum answer_kind {
  ANSWER_ENDED = 1,      // u32 wait status of the command
  ANSWER_REFUSED = 2,    // u8 enum refusal, u32 errno: the command was not started
  ANSWER_NO_DEVICE = 3,  // u32 errno: device nodes cannot be made
  ANSWER_WRITTEN = 5,    // string path of the container's own that the command, in place, has made or removed something in
  NOTE_BROKEN = 4,       // among the helper's processes alone: the command could not be set up, stderr says why
};

enum refusal { REFUSED_NOT_FOUND = 1, REFUSED_INTERPRETER = 2, REFUSED_EXECUTE = 3, REFUSED_DIRECTORY = 4 };

struct file {
  const char *path, *source;
  int needs_directory;
};

enum mount_kind { MOUNT_BIND, MOUNT_TMPFS, MOUNT_CONTENT };

struct mount {
  enum mount_kind kind;
  const char *target;
  int writable, executable;
  const char *directory, *below;  // MOUNT_BIND
  uint64_t size;                  // MOUNT_TMPFS
  mode_t mode;                    // MOUNT_CONTENT from here on
  uid_t uid;
  gid_t gid;
  void *content;
  size_t content_size;
};

struct spec {
  int namespaces, user_namespace, shared_processes, supervised, in_place;
  int one_id, records_calls;  // enum id_map
  pid_t supervisor;
  const char *upper, *work, *stage;
  const char *root, *scratch;
  const char **lowers, **kept;
  size_t lower_count, kept_count;
  char **arguments, **variables;
  size_t argument_count, variable_count;
  const char *directory, *hostname;
  int no_network;
  uid_t uid;
  gid_t gid;
  gid_t *groups;
  size_t group_count;
  struct file files[FILES_MAX];
  size_t file_count;
  struct mount *mounts;
  size_t mount_count;
};

// A note between the processes of one run, written whole.
struct note {
  uint8_t kind;  // enum answer_kind
  uint8_t refusal;
  uint32_t value;
};
void send_note(int fd, struct note note);

// run-ns.c: in a new mount namespace, makes the root that the command sees and enters it.
void enter_namespaces(const struct spec *spec);
// Once no other process is left, removes what was only made to be mounted on.
void leave_namespaces(void);
// Limits a mount further; what the machine has it limited to stays. -1 with errno.
int limit_mount(const char *target, unsigned long flags);
// run-user.c: gives the process that waits at the gate, in a user namespace of its own, every id that this process has, each by its
// own number, or the command's user alone, and lets it pass.
void open_gate(int gate[2]);
void map_ids(const struct spec *spec, pid_t child, int gate[2]);
void await_ids(int gate[2]);
// What runc hides from a container.
extern const char *const masked_paths[];
extern const size_t masked_path_count;
// run-mounts.c: what is mounted in the root on the builder's behalf. Opens the sources, while the machine's own root is there; holds
// them in the new root's /dev; puts them in place, when no path leads out of the new root any more; takes them away again.
void open_mounts(const struct spec *spec);
void hold_mounts(const struct spec *spec);
void place_mounts(const struct spec *spec);
void mount_shown(int from, const char *target);
void remove_mounts(void);
// run-bare.c: prepares the directory, enters it, and puts back afterwards what was replaced.
void enter_chroot(const struct spec *spec, int status);
void leave_chroot(void);
// Files and mounts without mounting: opens their sources, puts them in place; takes them away again.
void open_sources(const struct spec *spec);
void put_sources(const struct spec *spec);
void remove_sources(void);
// run-in-place.c: lets the files of a root take the place of the container's own, and puts everything back.
void enter_in_place(const struct spec *spec);
void leave_in_place(void);
int has_been_moved(void);
void tell_written(const char *path);
// Undoes what a killed one has left; the command `run recover`.
int recover_in_place(void);
// run.c: closes every descriptor from this one on.
void close_the_rest(unsigned first);
// Ends every descendant of this process and waits for them all.
void kill_descendants(void);

// run-paths.c: what is made in the root only so that something can be mounted or put there, and removed again if nobody used it.
// Makes the file and the directories above it that are missing, through symlinks, without a trace in the times of their parents.
void make_stub(const char *path, int is_directory);
// The same; gives the directory that holds the last component, symlinks followed, and its name there (NAME_MAX + 1 bytes).
int open_stub(const char *path, int is_directory, char *name);
void remove_stubs(void);
// Opens what lies below a directory through no symlink, or with `name` the directory that holds it. -1 with errno.
int open_below(const char *directory, const char *below, const char **name);
// Writes a mount's content to a new file, gives it its attributes and forgets it. -1 with errno.
int write_content(int directory, const char *name, struct mount *mount);
// Makes a directory with the missing ones above it.
int make_directories(const char *path, uid_t uid, gid_t gid);

// run-exec.c: becomes the command; output goes to the two descriptors, refusals to `status`.
// `supervisor` is the socket to it, or -1.
_Noreturn void execute(const struct spec *spec, int input, int output, int error, int status, int supervisor);
// Takes all capabilities from this thread that a command does not get either.
int limit_capabilities(void);

// supervise.c: serves /proc, /sys and devices to a command in a plain chroot. Before the root is entered; with it entered, takes the
// listener that the command's process sends, and serves from then on; in that process, sends it.
void open_outside(int proc);
void expect_devices(int usable);
void start_supervisor(int channel);
int send_listener(int channel, int listener);
int receive_listener(int channel);  // -1 where none is sent
// supervise-filter.c, in the command's process: makes the calls of itself and all that it starts come to a listener; -1 with errno.
// Keeps its signals and its tracing to processes of its own, where the kernel can (Landlock, Linux 6.12).
int open_listener(int without_network);
int install_network_filter(void);
void keep_apart(int without_network);

// supervise-content.c: keeps a mount's content in memory and puts something in its place that the supervisor serves it at. -1 with errno.
int keep_content(int directory, const char *name, struct mount *mount);

// seccomp.c: Docker's default filter; -1 with errno where the kernel refuses it.
int install_seccomp(void);
