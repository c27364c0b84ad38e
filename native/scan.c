// scan: says what is below a directory, with all that lstat and the extended attributes tell, in the order of a layer.
//
// scan [--record] [--one-file-system] [--skip-below PATH]… ROOT answers an 'e' for the root (path "") and for each object below it:
// directories before what they hold, names in a directory by their bytes; then 'z'. Nothing is followed. With --record it tells what
// objects are by their records, and gives a record to each that has none, see record.h; of links, pipes and sockets that nobody has given
// to anybody an attribute UNRECORDED says so.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "frame.h"
#include "record.h"

int cmd_scan(int argc, char **argv);

static struct writer out;
static struct {
  char *text;
  size_t length, capacity;
} path;
static char **skipped;
static size_t skipped_count;
static int stays_on_device, records;
static dev_t device;

#define UNRECORDED "slipway.unrecorded"
static struct owner *owners;
static size_t owner_count;

static size_t push_name(const char *name) {
  size_t before = path.length, length = strlen(name);
  if (path.length + length + 2 > path.capacity) {
    path.capacity = 2 * path.capacity + length + 256;
    path.text = reallocate(path.text, path.capacity);
  }
  if (path.length) path.text[path.length++] = '/';
  memcpy(path.text + path.length, name, length + 1);
  path.length += length;
  return before;
}

static void pop_name(size_t length) {
  path.length = length;
  path.text[length] = 0;
}

static int by_inode(const void *a, const void *b) {
  const struct owner *x = a, *y = b;
  if (x->inode != y->inode) return x->inode < y->inode ? -1 : 1;
  if (x->born != y->born) return x->born < y->born ? -1 : 1;
  return x->number == y->number ? 0 : x->number < y->number ? -1 : 1;
}

// What was said last of an object counts. The file is used up: what it says is in records from now on, or in the layer that is made.
static void read_owners(const char *directory) {
  char file[1 << 12];
  struct owner owner;
  if ((size_t)snprintf(file, sizeof file, "%s.owners", directory) >= sizeof file) die("Cannot scan \"%s\": its path is too long", directory);
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && read_full(fd, &owner, sizeof owner) == sizeof owner) {
    if (owner_count % 64 == 0) owners = reallocate(owners, (owner_count + 64) * sizeof *owners);
    owners[owner_count++] = owner;
  }
  if (fd >= 0) close(fd);
  unlink(file);
  if (owner_count == 0) {
    owners = allocate(sizeof *owners);
    owners[owner_count++] = (struct owner){0};
  }
  qsort(owners, owner_count, sizeof *owners, by_inode);
}

// The owner of an object of the current directory that has no record, where somebody gave it one.
static const struct owner *find_owner(const char *name, uint64_t inode) {
  if (owner_count == 1) return NULL;
  struct owner wanted = {.inode = inode, .born = born_at(AT_FDCWD, name), .number = UINT32_MAX};
  size_t low = 1, high = owner_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (by_inode(&owners[middle], &wanted) <= 0) low = middle + 1;
    else high = middle;
  }
  const struct owner *last = &owners[low - 1];
  return last->inode == inode && last->born == wanted.born ? last : NULL;
}

// Gives an object its record, and the builder the right to read it.
static void adopt(const char *name, struct stat *st, const struct stat *above) {
  st->st_uid = owners[0].uid;
  st->st_gid = above && above->st_mode & S_ISGID ? above->st_gid : owners[0].gid;
  struct record record = {st->st_uid, st->st_gid, st->st_mode, shown_mode(st->st_mode), 0, 0};
  if (!(st->st_mode & 0200) && chmod(name, record.shown | 0200)) die_errno("Cannot change the mode of \"%s\"", path.text);
  if (write_record(name, &record)) die_errno("Cannot record the owner of \"%s\"", path.text);
  if ((record.shown != (st->st_mode & 07777) || !(st->st_mode & 0200)) && chmod(name, record.shown))
    die_errno("Cannot change the mode of \"%s\"", path.text);
}

// A mode that was set since may lock the builder out as well.
static void renew(const char *name, const struct stat *st, mode_t on_disk) {
  mode_t shown = shown_mode((on_disk & S_IFMT) | (st->st_mode & 07777));
  if (shown == (on_disk & 07777) || shown_mode(on_disk) == (on_disk & 07777)) return;
  struct record record = {st->st_uid, st->st_gid, st->st_mode, shown, major(st->st_rdev), minor(st->st_rdev)};
  if (chmod(name, shown | 0200) || write_record(name, &record) || chmod(name, shown)) die_errno("Cannot change the mode of \"%s\"", path.text);
}

// What an object is for the image; 1 where nobody has said whose it is and nothing on disk can.
static int take_record(const char *name, struct stat *st, const struct stat *above) {
  mode_t on_disk = st->st_mode;
  if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) {
    // Without the right to read there are no attributes either; what is set then is set for good below.
    if (!(on_disk & S_IRUSR) && chmod(name, (on_disk & 07777) | 0600)) die_errno("Cannot change the mode of \"%s\"", path.text);
    if (read_record(name, st)) adopt(name, st, above);
    else renew(name, st, on_disk);
    return 0;
  }
  const struct owner *owner = find_owner(name, st->st_ino);
  st->st_uid = (owner ? owner : owners)->uid;
  st->st_gid = owner ? owner->gid : above && above->st_mode & S_ISGID ? above->st_gid : owners->gid;
  return !owner;
}

// The name that an attribute has in the image; NULL where it is not for it. A capability may have been recorded and then set.
static const char *attribute_name(const char *name, const char *attribute) {
  if (!records || strncmp(attribute, "user.slipway.", strlen("user.slipway."))) return attribute;
  if (strcmp(attribute, RECORDED_CAPABILITY) || lgetxattr(name, "security.capability", NULL, 0) >= 0) return NULL;
  return "security.capability";
}

// The names and values of the object `name` of the current directory.
static void put_xattrs(const char *name, int is_unrecorded) {
  static char *names, *value;
  static size_t names_capacity, value_capacity;
  ssize_t size, got;
  while ((size = llistxattr(name, names, names_capacity)) < 0 && errno == ERANGE) {
    names_capacity = names_capacity * 2 + 1024;
    names = reallocate(names, names_capacity);
  }
  // With no room at all the call answers the size that it needs.
  if (size > 0 && (size_t)size > names_capacity) {
    names_capacity = (size_t)size + 1024;
    names = reallocate(names, names_capacity);
    size = llistxattr(name, names, names_capacity);
  }
  if (size < 0 && errno != ENOTSUP && errno != ENOENT && errno != EPERM) die_errno("Cannot list the extended attributes of \"%s\"", path.text);
  size_t at = out.used;
  uint32_t count = 0;
  put_u32(&out, 0);
  for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
    if (!value) value = allocate(value_capacity = 1 << 12);
    while ((got = lgetxattr(name, names + i, value, value_capacity)) < 0 && errno == ERANGE) {
      value_capacity *= 2;
      value = reallocate(value, value_capacity);
    }
    const char *shown = attribute_name(name, names + i);
    if (got < 0 || !shown) continue;
    if (records && !strcmp(shown, "security.capability")) got = (ssize_t)plain_capability(value, (size_t)got);
    put_string(&out, shown);
    put_bytes(&out, value, (uint32_t)got);
    count++;
  }
  if (is_unrecorded) {
    put_string(&out, UNRECORDED);
    put_string(&out, "");
    count++;
  }
  for (int i = 0; i < 4; i++) out.data[at + (size_t)i] = (uint8_t)(count >> (8 * i));
}

static void put_entry(const char *name, const struct stat *st, int is_unrecorded) {
  static char link[1 << 16];
  begin_frame(&out, 'e');
  put_bytes(&out, path.text, (uint32_t)path.length);
  put_u32(&out, st->st_mode);
  put_u32(&out, st->st_uid);
  put_u32(&out, st->st_gid);
  put_u32(&out, (uint32_t)st->st_nlink);
  put_u64(&out, (uint64_t)st->st_size);
  put_u64(&out, (uint64_t)st->st_mtim.tv_sec);
  put_u32(&out, (uint32_t)st->st_mtim.tv_nsec);
  put_u64(&out, (uint64_t)st->st_ctim.tv_sec);
  put_u32(&out, (uint32_t)st->st_ctim.tv_nsec);
  put_u64(&out, st->st_ino);
  put_u64(&out, st->st_dev);
  put_u32(&out, major(st->st_rdev));
  put_u32(&out, minor(st->st_rdev));
  ssize_t length = S_ISLNK(st->st_mode) ? readlink(name, link, sizeof link) : 0;
  if (length < 0) die_errno("Cannot read the symbolic link \"%s\"", path.text);
  put_bytes(&out, link, (uint32_t)length);
  put_xattrs(name, is_unrecorded);
  end_frame(&out);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int is_skipped(void) {
  for (size_t i = 0; i < skipped_count; i++)
    if (!strcmp(skipped[i], path.text)) return 1;
  return 0;
}

// Takes over `fd`, which is the current directory; `self` is what it is.
static void scan_directory(int fd, const struct stat *self) {
  DIR *directory = fdopendir(fd);
  if (!directory) die_errno("Cannot read \"%s\"", path.text);
  char **names = NULL;
  size_t count = 0, capacity = 0;
  for (;;) {
    errno = 0;
    struct dirent *entry = readdir(directory);
    if (!entry && errno) die_errno("Cannot read \"%s\"", path.text);
    if (!entry) break;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (count == capacity) {
      capacity = capacity * 2 + 16;
      names = reallocate(names, capacity * sizeof *names);
    }
    if (!(names[count++] = strdup(entry->d_name))) die("Cannot allocate a name");
  }
  qsort(names, count, sizeof *names, by_bytes);
  for (size_t i = 0; i < count; i++) {
    struct stat st;
    size_t before = push_name(names[i]);
    if (!fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW)) {
      put_entry(names[i], &st, records && take_record(names[i], &st, self));
      if (S_ISDIR(st.st_mode) && (!stays_on_device || st.st_dev == device) && !is_skipped()) {
        int child = openat(fd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 || fchdir(child)) die_errno("Cannot enter \"%s\"", path.text);
        scan_directory(child, &st);
        if (fchdir(fd)) die_errno("Cannot go back from \"%s\"", path.text);
      }
    } else if (errno != ENOENT) {
      die_errno("Cannot look at \"%s\"", path.text);
    }
    pop_name(before);
    free(names[i]);
  }
  free(names);
  closedir(directory);
}

int cmd_scan(int argc, char **argv) {
  int i = 1;
  skipped = allocate((size_t)argc * sizeof *skipped);
  for (; i < argc - 1; i++) {
    if (!strcmp(argv[i], "--one-file-system")) stays_on_device = 1;
    else if (!strcmp(argv[i], "--record")) records = 1;
    else if (!strcmp(argv[i], "--skip-below") && i + 1 < argc - 1) skipped[skipped_count++] = argv[++i];
    else break;
  }
  if (i != argc - 1) die("usage: slipway-helper scan [--record] [--one-file-system] [--skip-below PATH]… ROOT");
  struct rlimit limit;
  if (!getrlimit(RLIMIT_NOFILE, &limit)) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  struct stat st;
  int fd = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (records) read_owners(argv[i]);
  if (fd < 0 || fchdir(fd) || fstat(fd, &st)) die_errno("Cannot scan \"%s\"", argv[i]);
  device = st.st_dev;
  writer_open(&out, STDOUT_FILENO);
  path.text = allocate(path.capacity = 4096);
  pop_name(0);
  put_entry(".", &st, records && take_record(".", &st, NULL));
  scan_directory(fd, &st);
  begin_frame(&out, 'z');
  end_frame(&out);
  flush_writer(&out);
  return 0;
}
