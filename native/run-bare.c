// A root for one command where nothing may be mounted: a directory, entered by chroot. What mounts would have covered is put
// aside in the scratch directory and comes back afterwards: /proc, /sys and /dev as whole directories, files by name.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "in-place.h"
#include "run.h"

static const struct device {
  const char *name;
  unsigned minor_type;
} devices[] = {{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}, {"tty", 0x500}};  // major 1, tty: 5:0

// One entry of a directory that something else stands in for; `saved` tells whether there was one.
// What stands in may come from elsewhere and go back there: `home` is the directory, or -1.
static struct swap {
  int parent, saved, home;
  char name[NAME_MAX + 1], home_name[NAME_MAX + 1];
} *swaps;
static int swap_count, scratch, processes = -1;

static void restore_times(int directory, const struct stat *before) {
  struct timespec times[2] = {before->st_atim, before->st_mtim};
  futimens(directory, times);
}

// Puts an entry aside. The directory above it keeps its times.
static struct swap *put_aside(int parent, const char *name) {
  if (swap_count % 16 == 0) swaps = reallocate(swaps, (size_t)(swap_count + 16) * sizeof *swaps);
  struct swap *swap = &swaps[swap_count];
  char aside[16];
  struct stat before;
  if (fstat(parent, &before)) die_errno("Cannot read the directory of \"%s\"", name);
  snprintf(swap->name, sizeof swap->name, "%s", name);
  snprintf(aside, sizeof aside, "kept%d", swap_count);
  swap->parent = fcntl(parent, F_DUPFD_CLOEXEC, 0);
  swap->home = -1;
  swap->saved = !renameat(parent, name, scratch, aside);
  // In place, /dev is another file system; the empty file was made a moment ago.
  struct stat now;
  int is_stub = !swap->saved && errno == EXDEV && !fstatat(parent, name, &now, AT_SYMLINK_NOFOLLOW) && S_ISREG(now.st_mode) && !now.st_size;
  if (!swap->saved && errno != ENOENT && (!is_stub || unlinkat(parent, name, 0))) die_errno("Cannot put \"%s\" aside", name);
  restore_times(parent, &before);
  swap_count++;
  return swap;
}

static void put_back(int index) {
  struct swap *swap = &swaps[index];
  char aside[16], discarded[16];
  struct stat before;
  snprintf(aside, sizeof aside, "kept%d", index);
  snprintf(discarded, sizeof discarded, "used%d", index);
  if (fstat(swap->parent, &before)) return;
  if (swap->home < 0 || renameat(swap->parent, swap->name, swap->home, swap->home_name))
    if (renameat(swap->parent, swap->name, scratch, discarded)) unlinkat(swap->parent, swap->name, 0);
  unlinkat(scratch, discarded, 0);  // a secret at once; the builder removes the scratch directory
  if (swap->home >= 0) close(swap->home);
  if (swap->saved) renameat(scratch, aside, swap->parent, swap->name);
  restore_times(swap->parent, &before);
  close(swap->parent);
}

// An empty directory, as if something were to be mounted on it.
static int replace_directory(int root, const char *name) {
  struct stat now, before;
  if (mkdirat(root, name, 0755) && errno != EEXIST) die_errno("Cannot make \"/%s\"", name);
  if (fstatat(root, name, &now, AT_SYMLINK_NOFOLLOW)) die_errno("Cannot read \"/%s\"", name);
  if (!S_ISDIR(now.st_mode)) die("Cannot use \"/%s\": the image has something else than a directory there", name);
  if (fstat(root, &before)) die_errno("Cannot read the root");
  put_aside(root, name);
  if (mkdirat(root, name, 0755)) die_errno("Cannot make \"/%s\"", name);
  restore_times(root, &before);
  return openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// Where a supervisor serves what nodes are lacking, files stand for them, and links lead to it.
static void fill_dev_served(int dev) {
  static const char *const links[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
                                         {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}};
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlinkat(links[i][0], dev, links[i][1])) die_errno("Cannot fill /dev");
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) mknodat(dev, devices[i].name, S_IFREG | 0666, 0);
  mknodat(dev, "pts/ptmx", S_IFREG | 0666, 0);
  int null = openat(dev, "null", O_RDWR | O_CLOEXEC);
  struct stat now;
  expect_devices(null >= 0 && !fstat(null, &now) && S_ISCHR(now.st_mode));
  if (null >= 0) close(null);
}

static void fill_dev(int dev, int status, int supervised) {
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
    unsigned major_number = devices[i].minor_type >> 8 ? devices[i].minor_type >> 8 : 1;
    if (!mknodat(dev, devices[i].name, S_IFCHR | 0666, makedev(major_number, devices[i].minor_type & 0xff))) continue;
    if (!supervised) send_note(status, (struct note){.kind = ANSWER_NO_DEVICE, .value = (uint32_t)errno});
    break;
  }
  if (mkdirat(dev, "shm", 01777) || mkdirat(dev, "pts", 0755)) die_errno("Cannot fill /dev");
  if (supervised) fill_dev_served(dev);
}

static void replace_file(const struct file *file, int source) {
  make_stub(file->path, 0);  // for the directories above; the last part may be a symlink, which is put aside as it is
  char parent[PATH_MAX];
  snprintf(parent, sizeof parent, "%s", file->path);
  char *name = strrchr(parent, '/');
  *name++ = 0;
  int directory = open(*parent ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat before;
  if (directory < 0 || fstat(directory, &before)) die_errno("Cannot open the directory of \"%s\"", file->path);
  put_aside(directory, name);
  int copy = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (copy < 0) die_errno("Cannot write \"%s\"", file->path);
  char buffer[4096];
  for (ssize_t n; (n = read(source, buffer, sizeof buffer)) > 0;) write_full(copy, buffer, (size_t)n);
  close(copy);
  close(source);
  restore_times(directory, &before);
  close(directory);
}

// A directory or file of the machine moves in and back again; a tmpfs is a directory that goes with the command. A content is a file on
// disk, unless a supervisor has it.
static void place_mount(struct mount *mount, int home, const char *home_name, int supervised) {
  char name[NAME_MAX + 1];
  struct stat now, before, target;
  int is_tree = mount->kind == MOUNT_TMPFS;
  if (mount->kind == MOUNT_BIND) {
    if (fstatat(home, home_name, &now, AT_SYMLINK_NOFOLLOW)) die_errno("Cannot mount on \"%s\": cannot open its source", mount->target);
    is_tree = S_ISDIR(now.st_mode);
  }
  int is_there = !stat(mount->target, &target);
  if (is_there && S_ISDIR(target.st_mode) != is_tree)
    die("Cannot mount on \"%s\": %s", mount->target, strerror(is_tree ? ENOTDIR : EISDIR));
  int parent = open_stub(mount->target, is_tree, name);
  if (fstat(parent, &before)) die_errno("Cannot read the directory of \"%s\"", mount->target);
  struct swap *swap = put_aside(parent, name);
  int failed;
  switch (mount->kind) {
    case MOUNT_BIND:
      failed = renameat(home, home_name, parent, name);
      if (failed) break;
      swap->home = home;
      snprintf(swap->home_name, sizeof swap->home_name, "%s", home_name);
      break;
    case MOUNT_TMPFS: failed = mkdirat(parent, name, is_there ? target.st_mode & 07777 : 01777); break;
    default: failed = supervised && !mount->executable ? keep_content(parent, name, mount) : write_content(parent, name, mount);
  }
  if (failed) die_errno("Cannot mount on \"%s\"", mount->target);
  restore_times(parent, &before);
  close(parent);
}

static int files[FILES_MAX], *homes;
static const char **names;

void open_sources(const struct spec *spec) {
  homes = allocate((spec->mount_count + 1) * sizeof *homes);
  names = allocate((spec->mount_count + 1) * sizeof *names);
  scratch = open(spec->scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (scratch < 0) die_errno("Cannot open \"%s\"", spec->scratch);
  for (size_t i = 0; i < spec->file_count; i++)
    if ((files[i] = open(spec->files[i].source, O_RDONLY | O_CLOEXEC)) < 0) die_errno("Cannot open \"%s\"", spec->files[i].source);
  for (size_t i = 0; i < spec->mount_count; i++) {
    const struct mount *mount = &spec->mounts[i];
    homes[i] = -1;
    names[i] = "";
    if (mount->kind == MOUNT_BIND && (homes[i] = open_below(mount->directory, mount->below, &names[i])) < 0)
      die_errno("Cannot mount on \"%s\": cannot open its source", mount->target);
  }
}

void put_sources(const struct spec *spec) {
  for (size_t i = 0; i < spec->file_count; i++)
    if (!spec->in_place || !is_kept(spec->files[i].path)) replace_file(&spec->files[i], files[i]);
  for (size_t i = 0; i < spec->mount_count; i++) place_mount(&spec->mounts[i], homes[i], names[i], spec->supervised);
  free(homes);
  free(names);
}

void remove_sources(void) {
  while (swap_count > 0) put_back(--swap_count);
  remove_stubs();
}

void enter_chroot(const struct spec *spec, int status) {
  umask(0);
  processes = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (processes < 0) die_errno("Cannot open /proc");
  if (spec->supervised) open_outside(processes);
  open_sources(spec);
  if (chdir(spec->root)) die_errno("Cannot enter \"%s\"", spec->root);
  if (chroot(".")) die_errno("Cannot chroot");
  int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) die_errno("Cannot open the root");
  close(replace_directory(root, "proc"));
  close(replace_directory(root, "sys"));
  int dev = replace_directory(root, "dev");
  fill_dev(dev, status, spec->supervised);
  close(dev);
  close(root);
  put_sources(spec);
  umask(022);
  if (make_directories(spec->directory, spec->uid, spec->gid)) die_errno("Cannot make the working directory \"%s\"", spec->directory);
}

void leave_chroot(void) { remove_sources(); }

struct process {
  pid_t pid, parent;
  int mine;
};

static struct process *list_processes(size_t *count) {
  if (processes < 0) processes = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct process *list = NULL;
  *count = 0;
  int fd = dup(processes);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (!directory) die_errno("Cannot read /proc");
  rewinddir(directory);
  for (struct dirent *entry; (entry = readdir(directory));) {
    char path[NAME_MAX + 8], text[512];
    if (!isdigit((unsigned char)*entry->d_name)) continue;
    snprintf(path, sizeof path, "%s/stat", entry->d_name);
    int stat = openat(processes, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = stat < 0 ? -1 : read(stat, text, sizeof text - 1);
    if (stat >= 0) close(stat);
    if (n <= 0) continue;
    text[n] = 0;
    const char *end = strrchr(text, ')');  // the name before it may hold anything
    int parent;
    char state;
    if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2 || state == 'Z') continue;
    if (*count % 256 == 0) list = reallocate(list, (*count + 256) * sizeof *list);
    list[(*count)++] = (struct process){.pid = atoi(entry->d_name), .parent = parent};
  }
  closedir(directory);
  return list;
}

// Root without CAP_KILL may signal what it started as another user no more than that user's processes may; as that user it can.
static void signal_process(pid_t pid, int signal_number) {
  char path[32];
  struct stat owner;
  if (!kill(pid, signal_number) || errno != EPERM) return;
  snprintf(path, sizeof path, "%d", pid);
  if (fstatat(processes, path, &owner, 0)) return;
  pid_t child = vfork();
  if (child == 0) {
    if (!syscall(SYS_setresuid, owner.st_uid, owner.st_uid, owner.st_uid)) kill(pid, signal_number);
    _exit(0);
  }
  if (child > 0) waitpid(child, NULL, 0);
}

// Signals every living descendant; tells how many it had not signalled in the round before.
static size_t signal_descendants(int signal_number, size_t known) {
  size_t count, mine = 0;
  struct process *list = list_processes(&count);
  for (int changed = 1; changed;) {
    changed = 0;
    for (size_t i = 0; i < count; i++) {
      if (list[i].mine) continue;
      int found = list[i].parent == getpid();
      for (size_t j = 0; !found && j < count; j++) found = list[j].mine && list[j].pid == list[i].parent;
      if (!found) continue;
      list[i].mine = changed = 1;
      mine++;
    }
  }
  for (size_t i = 0; i < count; i++)
    if (list[i].mine) signal_process(list[i].pid, signal_number);
  free(list);
  return mine > known ? mine : known;
}

// Nothing that was stopped can have a child any more; so when a round finds no more than the last, it has found all.
void kill_descendants(void) {
  for (;;) {
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) continue;
    if (pid < 0 && errno == ECHILD) return;
    for (size_t known = 0, found; (found = signal_descendants(SIGSTOP, known)) > known;) known = found;
    signal_descendants(SIGKILL, 0);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}
