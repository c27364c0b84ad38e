// A root for one command in a mount namespace of its own: the layers stacked by overlayfs, and on it /proc, /sys and /dev as
// Docker's default container has them. Every file system but those of device nodes is mounted nodev, so that a node which the
// command makes opens nothing.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "record.h"
#include "run.h"

// Where the machine's own root is while the command's is being furnished.
#define OLD_ROOT "/dev/.old"

enum { STACK_MAX = 500, LOCKED = MS_NOSUID | MS_NODEV | MS_NOEXEC };

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
enum { DEVICE_COUNT = sizeof devices / sizeof *devices };

// What runc hides from a container, and what it makes read-only: moby/oci/defaults.go.
const char *const masked_paths[] = {"/proc/acpi",       "/proc/asound",     "/proc/interrupts",  "/proc/kcore",       "/proc/keys",     "/proc/latency_stats",
                                     "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",        "/sys/firmware", "/sys/devices/virtual/powercap"};
const size_t masked_path_count = sizeof masked_paths / sizeof *masked_paths;
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

static int lower_count_of(const struct spec *spec) { return spec->lower_count ? (int)spec->lower_count : 1; }

// Both ways know the directories by short names in the current directory: the text of all options is cut off at a page by
// mount(2), and one of fsconfig's at 256 bytes.
static int mount_overlay_new(const struct spec *spec) {
  int fs = fsopen("overlay", FSOPEN_CLOEXEC), failed = fs < 0;
  char name[16];
  for (int i = 0; !failed && i < lower_count_of(spec); i++) {
    snprintf(name, sizeof name, "%d", i);
    failed = fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", name, 0);
  }
  // The last two go without saying with userxattr, which does not take them.
  static const char *const options[][2] = {{"upperdir", "u"}, {"workdir", "w"}, {"index", "off"}, {"redirect_dir", "off"}, {"metacopy", "off"}};
  size_t option_count = sizeof options / sizeof *options - (spec->user_namespace ? 2 : 0);
  for (size_t i = 0; !failed && i < option_count; i++) failed = fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0);
  failed = failed || (spec->user_namespace && fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0)) || fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
  int mounted = failed ? -1 : fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
  failed = failed || mounted < 0 || move_mount(mounted, "", AT_FDCWD, "root", MOVE_MOUNT_F_EMPTY_PATH);
  int error = errno;
  if (mounted >= 0) close(mounted);
  if (fs >= 0) close(fs);
  errno = error;
  return failed ? -1 : 0;
}

static int mount_overlay_old(const struct spec *spec) {
  char text[4096];
  size_t used = (size_t)snprintf(text, sizeof text, "upperdir=u,workdir=w,lowerdir=");
  for (int i = 0; i < lower_count_of(spec); i++) used += (size_t)snprintf(text + used, sizeof text - used, i ? ":%d" : "%d", i);
  // An older kernel refuses the options that it does not know.
  static const char *const more[][3] = {{",redirect_dir=off,metacopy=off,index=off,volatile", ",redirect_dir=off,index=off", ""},
                                        {",userxattr,index=off,volatile", ",userxattr,index=off", ",userxattr"}};
  for (size_t i = 0; i < 3; i++) {
    snprintf(text + used, sizeof text - used, "%s", more[spec->user_namespace][i]);
    if (!mount("overlay", "root", "overlay", MS_NODEV, text)) return 0;
    if (errno != EINVAL) return -1;
  }
  return -1;
}

static void name_directory(const char *target, const char *name) {
  if (symlink(target, name)) die_errno("Cannot name \"%s\"", target);
}

static void mount_root(const struct spec *spec) {
  if (spec->lower_count > STACK_MAX) die("Cannot stack %zu layers: overlayfs takes %d", spec->lower_count, STACK_MAX);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) die_errno("Cannot make the mounts private");
  if (mount("tmpfs", spec->stage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m")) die_errno("Cannot mount a tmpfs");
  if (chdir(spec->stage) || mkdir("root", 0700)) die_errno("Cannot use \"%s\"", spec->stage);
  char name[24];
  for (size_t i = 0; i < spec->lower_count; i++) {
    snprintf(name, sizeof name, "%zu", i);
    name_directory(spec->lowers[i], name);
  }
  if (!spec->lower_count && mkdir("0", 0755)) die_errno("Cannot make an empty layer");
  if (!spec->one_id && chown(spec->upper, 0, 0)) die_errno("Cannot give \"%s\" to root", spec->upper);
  name_directory(spec->upper, "u");
  name_directory(spec->work, "w");
  if (mount_overlay_new(spec) && mount_overlay_old(spec)) {
    struct statfs fs;
    int error = errno, nested = !statfs(spec->upper, &fs) && fs.f_type == 0x794c7630;
    errno = error;
    die_errno("Cannot mount the overlay%s", nested ? ": the state directory is itself on an overlayfs" : "");
  }
}

// In the new root, seen from outside it: "root/proc". The image has no say in where that is, or it is refused.
static void make_mount_point(const struct spec *spec, const char *path) {
  struct stat now;
  struct record record = {0, 0, S_IFDIR | 0755, 0755, 0, 0};
  int made = !mkdir(path, 0755);
  if (made && spec->one_id && write_record(path, &record)) die_errno("Cannot record the owner of \"%s\"", strchr(path, '/'));
  if (!made && errno != EEXIST) die_errno("Cannot make \"%s\"", strchr(path, '/'));
  if (lstat(path, &now)) die_errno("Cannot read \"%s\"", strchr(path, '/'));
  if (!S_ISDIR(now.st_mode)) die("Cannot mount on \"%s\": the image has something else than a directory there", strchr(path, '/'));
}

static int open_place(const char *path) { return open(path, O_PATH | O_CLOEXEC); }

// A builder that is not root itself has made what a command is to see as root's.
static int open_root_file(const struct spec *spec, const char *path) {
  int fd = open_place(path);
  return fd < 0 || (!spec->one_id && fchownat(fd, "", 0, 0, AT_EMPTY_PATH)) ? -1 : fd;
}

int limit_mount(const char *target, unsigned long flags) {
  if (!mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags, NULL)) return 0;
  // A user namespace cannot lift what was so before it.
  struct statvfs now;
  if (errno != EPERM || statvfs(target, &now)) return -1;
  flags |= (now.f_flag & ST_RDONLY ? MS_RDONLY : 0) | (now.f_flag & ST_NOSUID ? MS_NOSUID : 0) | (now.f_flag & ST_NODEV ? MS_NODEV : 0) |
           (now.f_flag & ST_NOEXEC ? MS_NOEXEC : 0);
  return mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

// The source is a descriptor from before the root was changed, in a mount that is still there.
static void bind_file(int source, const char *target, unsigned long flags) {
  char from[32];
  snprintf(from, sizeof from, "/proc/self/fd/%d", source);
  if (mount(from, target, NULL, MS_BIND, NULL) || limit_mount(target, flags))
    die_errno("Cannot bind \"%s\"", target);
  close(source);
}

static void mount_at(const char *type, const char *path, unsigned long flags, const char *options) {
  if (mount(type, path, type, flags, options)) die_errno("Cannot mount %s on \"%s\"", type, path);
}

static void make_file(const char *path) {
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0) die_errno("Cannot make \"%s\"", path);
  close(fd);
}

static void fill_dev(const struct spec *spec, const int sources[]) {
  char path[PATH_MAX];
  for (int i = 0; i < DEVICE_COUNT; i++) {
    if (sources[i] < 0) continue;
    snprintf(path, sizeof path, "/dev/%s", devices[i]);
    make_file(path);
    bind_file(sources[i], path, MS_NOSUID | MS_NOEXEC);
  }
  static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
                                         {"/proc/self/fd/2", "/dev/stderr"}, {"pts/ptmx", "/dev/ptmx"}, {"/proc/kcore", "/dev/core"}};
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlink(links[i][0], links[i][1])) die_errno("Cannot make \"%s\"", links[i][1]);
  if (mkdir("/dev/pts", 0755) || mkdir("/dev/shm", 01777) || mkdir("/dev/mqueue", 0755)) die_errno("Cannot fill /dev");
  // nodev would shut the terminals themselves; nobody can make other nodes on a devpts.
  mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, spec->one_id ? "newinstance,ptmxmode=0666,mode=0620" : "newinstance,ptmxmode=0666,mode=0620,gid=5");
  mount_at("tmpfs", "/dev/shm", LOCKED, "mode=1777,size=65536k");
  if (mount("mqueue", "/dev/mqueue", "mqueue", LOCKED, NULL)) rmdir("/dev/mqueue");  // a kernel without it
}

static int has_directory(const char *path) {
  char directory[PATH_MAX];
  struct stat now;
  snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path), path);
  return !stat(directory, &now);
}

static void show_file(size_t number, const struct file *file) {
  char from[32];
  snprintf(from, sizeof from, "/dev/.file%zu", number);
  if (file->needs_directory && !has_directory(file->path)) {
    umount2(from, MNT_DETACH);
  } else {
    make_stub(file->path, 0);
    int held = open_place(from);
    if (held < 0) die_errno("Cannot open \"%s\"", from);
    mount_shown(held, file->path);
  }
  if (unlink(from)) die_errno("Cannot show \"%s\"", file->path);
}

// In some containers only the mounts that are there already may be used.
static void mount_sys(int source) {
  if (mount("sysfs", "/sys", "sysfs", LOCKED | MS_RDONLY, NULL)) {
    char from[32];
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
    snprintf(from, sizeof from, "/proc/self/fd/%d", source);
    if (mount(from, "/sys", NULL, MS_BIND | MS_REC, NULL)) die_errno("Cannot mount sysfs");
    if (syscall(SYS_mount_setattr, AT_FDCWD, "/sys", AT_RECURSIVE, &attr, sizeof attr) &&
        mount(NULL, "/sys", NULL, MS_REMOUNT | MS_BIND | LOCKED | MS_RDONLY, NULL))
      die_errno("Cannot make /sys read-only");
  } else mount("cgroup2", "/sys/fs/cgroup", "cgroup2", LOCKED | MS_RDONLY, NULL);  // there is none with cgroups v1
  close(source);
}

static void hide_paths(void) {
  for (size_t i = 0; i < masked_path_count; i++) {
    struct stat now;
    if (stat(masked_paths[i], &now)) continue;
    int failed = S_ISDIR(now.st_mode) ? mount("tmpfs", masked_paths[i], "tmpfs", LOCKED | MS_RDONLY, "size=0k,mode=755") : mount("/dev/null", masked_paths[i], NULL, MS_BIND, NULL);
    if (failed) die_errno("Cannot hide \"%s\"", masked_paths[i]);
  }
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
    if (access(read_only[i], F_OK)) continue;
    if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) ||
        mount(NULL, read_only[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | LOCKED, NULL))
      die_errno("Cannot make \"%s\" read-only", read_only[i]);
  }
}

// In a user namespace a container's processes can only be shown as the container has them, and only all of them.
static void mount_proc(int is_shared) {
  if (is_shared ? mount("/proc", "root/proc", NULL, MS_BIND | MS_REC, NULL) : mount("proc", "root/proc", "proc", LOCKED, NULL))
    die_errno("Cannot mount %s", is_shared ? "the machine's /proc" : "a /proc of its own");
}

static void raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request)) die_errno("Cannot read the loop-back interface");
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request)) die_errno("Cannot raise the loop-back interface");
  close(fd);
}

void enter_namespaces(const struct spec *spec) {
  // Podman's seccomp profile lets containers mount, but not that; the name of the container does as well.
  if (sethostname(spec->hostname, strlen(spec->hostname)) && !(spec->user_namespace && errno == EPERM))
    die_errno("Cannot set the host name \"%s\"", spec->hostname);
  if (spec->no_network) raise_loopback();
  mount_root(spec);

  char path[PATH_MAX];
  int sys = open_place("/sys"), nodes[DEVICE_COUNT], files[FILES_MAX];
  for (int i = 0; i < DEVICE_COUNT; i++) {
    snprintf(path, sizeof path, "/dev/%s", devices[i]);
    nodes[i] = open_place(path);
  }
  for (size_t i = 0; i < spec->file_count; i++)
    if ((files[i] = open_root_file(spec, spec->files[i].source)) < 0) die_errno("Cannot open \"%s\"", spec->files[i].source);
  if (nodes[0] < 0) die_errno("Cannot open /dev/null");
  open_mounts(spec);

  make_mount_point(spec, "root/proc");
  make_mount_point(spec, "root/sys");
  make_mount_point(spec, "root/dev");
  mount_proc(spec->shared_processes);
  mount_at("tmpfs", "root/dev", MS_NOSUID | MS_NODEV | MS_STRICTATIME, "mode=755,size=65536k");
  if (mkdir("root" OLD_ROOT, 0700) || chdir("root")) die_errno("Cannot enter the root");
  // Docker's seccomp profile keeps pivot_root even from a container with CAP_SYS_ADMIN.
  int pivoted = !syscall(SYS_pivot_root, ".", "." OLD_ROOT);
  if (!pivoted && (errno != EPERM || mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))) die_errno("Cannot change the root");
  if (chdir("/")) die_errno("Cannot enter the root");

  fill_dev(spec, nodes);
  mount_sys(sys);
  for (size_t i = 0; i < spec->file_count; i++) {
    snprintf(path, sizeof path, "/dev/.file%zu", i);
    make_file(path);
    bind_file(files[i], path, LOCKED | MS_RDONLY);
  }
  hold_mounts(spec);
  // From here on paths that the image has made symlinks of are followed: the old root must be out of their reach.
  if (pivoted && umount2(OLD_ROOT, MNT_DETACH)) die_errno("Cannot leave the old root");
  if (rmdir(OLD_ROOT)) die_errno("Cannot leave the old root");
  for (size_t i = 0; i < spec->file_count; i++) show_file(i, &spec->files[i]);
  hide_paths();
  place_mounts(spec);
  if (make_directories(spec->directory, spec->uid, spec->gid)) die_errno("Cannot make the working directory \"%s\"", spec->directory);
}

void leave_namespaces(void) {
  remove_mounts();
  remove_stubs();
}
