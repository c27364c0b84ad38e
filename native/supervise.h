// What the files of the supervisor share. It answers the calls of a command in a plain chroot that name /proc, /sys and devices:
// the command's filter hands every call with a path over, the supervisor looks at the path and either does the call in the command's
// place or lets the kernel go on with it. It serves; it guards nothing: what it passes on, the command could do anyway.
#pragma once
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

// The machine's own directories, opened before the root was entered, and what stands in their place in the root.
struct outside {
  int listener;
  int proc, sys, dev;
  int root_proc, root_sys, root_dev;
  int has_devices;  // the nodes in the root's /dev can be opened
  struct stat root;
  long root_type;  // of statfs
};
extern struct outside outside;

// One call that waits for an answer.
struct call {
  uint64_t id;
  pid_t thread, process;  // `process` is 0 until find_process
  const uint64_t *arguments;
  char path[PATH_MAX];  // read once; whatever the command does to its memory, the answer is made from this
};

enum operation {
  OPEN, OPEN_HOW, STAT, LINK_STAT, STAT_FLAGS, STATX, READ_LINK, ACCESS, ENTER, EXECUTE, FILE_SYSTEM,
  ATTRIBUTES, LINK_ATTRIBUTES, CHANGE_MODE, CHANGE_OWNER, CHANGE_LINK_OWNER, CHANGE_TIMES
};

// A call that is handed over: which arguments are the directory (-1 for the current one), the path, and what else it is about.
struct handed_call {
  int number;
  enum operation operation;
  int8_t directory, path, more, flags;
};
extern const struct handed_call handed_calls[];
extern const int handed_call_count;

// supervise-memory.c: acts as the calling process's user, which is what lets it read the memory and decides what may be opened.
int read_memory(const struct call *call, uint64_t address, void *data, size_t size);
int write_memory(const struct call *call, uint64_t address, const void *data, size_t size);
int read_path(struct call *call, uint64_t address);
int is_waiting(const struct call *call);
void become_root(void);

// supervise-process.c: what the kernel says of a process, also of one whose memory cannot be read.
struct process_status {
  pid_t process, parent;
  uid_t uid;
  gid_t gid, groups[64];
  int group_count;
};
int read_status(pid_t thread, struct process_status *status);
// The process that a call comes from, and whether it has the root that is served. -1 where it is gone or elsewhere.
int find_process(struct call *call);
// Whether a process is one of the command's.
int is_own(pid_t pid);

enum tree { TREE_NONE, TREE_PROC, TREE_SYS, TREE_DEV };

// supervise-paths.c: writes where the call's path leads, absolute and without "..", and says into which tree. With `follow` a link
// that the path itself is counts.
enum tree locate(struct call *call, int directory, int follow, char *view);
// From here on, current directories, or descriptors of directories, may lie in the trees.
void expect_directories(int current);

// What a path in a tree stands for.
struct object {
  enum { KERNELS_OWN, MISSING, SERVED, SHORT_LINK, TERMINAL } kind;
  int base;             // `name` lies below this directory
  char name[PATH_MAX];  // SHORT_LINK: its text
  const char *rest;     // what is below the thing that `name`, then a link, leads to; or NULL
  int is_link;          // `name` leads to an object, not to a path
  int is_text;          // a list of mounts, which is made up
  int is_masked, is_writable, is_terminal_maker;
  const char *view;
};

// supervise-proc.c, supervise-dev.c
void find_in_proc(const struct call *call, const char *view, int follow, struct object *object);
void find_in_dev(const struct call *call, const char *view, int follow, struct object *object);
// 1 for what a container has hidden, 2 for what lies below it.
int is_masked_path(const char *view);
// A new file with what `mounts`, `mountinfo` or `mountstats` of a process shows.
int write_mounts(const char *name);
// Whether the kernel finds a device there by itself.
int has_node(const char *view);
void remember_terminal(int fd);
int open_terminal_of(const struct call *call);

// supervise-mirror.c: directories on disk in the place of those in /proc and /sys, since a descriptor of a real one would lead, by
// "..", out of the root. Gives one, with `filled` after it has got the entries of `source`. -1 with errno.
int open_mirror(enum tree tree, const char *name, int source, int filled, int flags);
// Makes the kernel find a process's program where the command names it to be executed.
void mirror_program(const struct object *object);

// supervise-object.c: does the call in the command's place.
void serve_object(const struct call *call, const struct handed_call *what, enum tree tree, const struct object *object, int follow, int flags);
void answer_data(const struct call *call, const struct handed_call *what, const void *data, size_t size);
void answer_status(const struct call *call, const struct handed_call *what, const struct stat *now, int held);
void answer_access(const struct call *call, const struct handed_call *what, int held, int is_writable);

// supervise-content.c: the number of the file that the call is about, with a descriptor of what stands for it, or -1.
int find_content(struct call *call, int directory, int follow, int *held);
void serve_content(const struct call *call, const struct handed_call *what, int index, int held, int flags);

// supervise.c
void pass_on(const struct call *call);
void answer_call(const struct call *call, int64_t value, int error);
void hand_in(const struct call *call, int fd, int flags);
