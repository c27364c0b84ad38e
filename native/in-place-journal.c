// The journal of the sandbox in place: what of the container was moved, so that it can be moved back, also after a kill.
//
// Records end with a NUL. "a NUMBER PATH": it is aside under that number, or still in its place. "d STATUS PATH": a directory that was
// taken apart. "m STATUS PATH": one that stays, and holds another's files. "k PATH": kept beside what is always kept. "c": everything
// is aside. "e": everything of the image has left again.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "in-place.h"
#include "run.h"

#define JOURNAL IN_PLACE_HOME "/journal"
#define ASIDE IN_PLACE_HOME "/aside"

static int journal = -1, aside_count;

// A directory that stays; the descriptor finds it wherever a command moves it.
static struct merged {
  char *path;
  struct stat before;
  int fd;
} *merged;
static size_t merged_count;

static void write_record(const char *text) { write_full(journal, text, strlen(text) + 1); }

void begin_journal(void) {
  if (mkdir(ASIDE, 0700) && errno != EEXIST) die_errno("Cannot make \"%s\"", ASIDE);
  journal = open(JOURNAL, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) die_errno("Cannot write \"%s\"", JOURNAL);
}

void note_kept(const char *path) {
  char record[PATH_MAX + 2];
  snprintf(record, sizeof record, "k %s", path);
  write_record(record);
}

const char *join_path(char joined[PATH_MAX], const char *directory, const char *name) {
  if ((size_t)snprintf(joined, PATH_MAX, "%s/%s", strcmp(directory, "/") ? directory : "", name) >= PATH_MAX)
    die("Cannot use \"%s/%s\": its path is too long", directory, name);
  return joined;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void list_names(const char *directory, void (*visit)(const char *directory, const char *name)) {
  DIR *open_directory = opendir(directory);
  if (!open_directory) die_errno("Cannot read \"%s\"", directory);
  char **names = NULL;
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(open_directory));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (count % 64 == 0) names = reallocate(names, (count + 64) * sizeof *names);
    if (!(names[count++] = strdup(entry->d_name))) die("Cannot allocate a name");
  }
  closedir(open_directory);
  if (count) qsort(names, count, sizeof *names, by_bytes);
  for (size_t i = 0; i < count; i++) {
    visit(directory, names[i]);
    free(names[i]);
  }
  free(names);
}

static void write_status(char kind, const char *path, const struct stat *now) {
  char record[PATH_MAX + 256];
  snprintf(record, sizeof record, "%c %lu %lu %o %u %u %ld %ld %ld %ld %s", kind, (unsigned long)now->st_dev, (unsigned long)now->st_ino,
           now->st_mode & 07777, now->st_uid, now->st_gid, (long)now->st_atim.tv_sec, now->st_atim.tv_nsec, (long)now->st_mtim.tv_sec,
           now->st_mtim.tv_nsec, path);
  write_record(record);
}

static const char *read_status(const char *record, struct stat *now) {
  unsigned long device, inode;
  long seconds[2], rest[2];
  unsigned mode, uid, gid;
  int size = 0;
  if (sscanf(record, "%*c %lu %lu %o %u %u %ld %ld %ld %ld %n", &device, &inode, &mode, &uid, &gid, &seconds[0], &rest[0], &seconds[1],
             &rest[1], &size) != 9 || !size)
    die("Cannot understand \"%s\"", JOURNAL);
  *now = (struct stat){.st_dev = device, .st_ino = inode, .st_mode = mode, .st_uid = uid, .st_gid = gid,
                       .st_atim = {seconds[0], rest[0]}, .st_mtim = {seconds[1], rest[1]}};
  return record + size;
}

// A directory of a lower layer of an overlay cannot be moved: what it holds is.
static void take_apart(const char *directory, const char *name) {
  char path[PATH_MAX];
  move_aside(join_path(path, directory, name));
}

void move_aside(const char *path) {
  char record[PATH_MAX + 32], aside[64];
  struct stat now;
  snprintf(record, sizeof record, "a %d %s", aside_count, path);
  snprintf(aside, sizeof aside, "%s/%d", ASIDE, aside_count++);
  write_record(record);
  if (!rename(path, aside)) return;
  if (errno != EXDEV || lstat(path, &now) || !S_ISDIR(now.st_mode)) die_errno("Cannot put \"%s\" aside", path);
  write_status('d', path, &now);
  list_names(path, take_apart);
  if (rmdir(path)) die_errno("Cannot put \"%s\" aside", path);
}

static void remember_merged(const char *path, const struct stat *now, int fd) {
  if (merged_count % 16 == 0) merged = reallocate(merged, (merged_count + 16) * sizeof *merged);
  char *copy = strdup(path);
  if (!copy) die("Cannot allocate a path");
  merged[merged_count++] = (struct merged){.path = copy, .before = *now, .fd = fd};
}

void note_merged(const char *path, const struct stat *now) {
  write_status('m', path, now);
  int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) die_errno("Cannot open \"%s\"", path);
  remember_merged(path, now, fd);
}

int is_merged(const char *path) {
  for (size_t i = 0; i < merged_count; i++)
    if (!strcmp(merged[i].path, path)) return 1;
  return 0;
}

void note_cleared(void) { write_record("c"); }

void give_attributes(int directory, const struct stat *wanted) {
  struct stat now;
  struct timespec times[2] = {wanted->st_atim, wanted->st_mtim};
  char self[64];
  // The descriptor may be one that only names the directory.
  snprintf(self, sizeof self, "/proc/self/fd/%d", directory);
  if (fstat(directory, &now)) return;
  if (now.st_uid != wanted->st_uid || now.st_gid != wanted->st_gid) (void)!chown(self, wanted->st_uid, wanted->st_gid);
  if ((now.st_mode & 07777) != (wanted->st_mode & 07777)) chmod(self, wanted->st_mode & 07777);
  utimensat(AT_FDCWD, self, times, 0);
}

// Opens a directory of the root through no symlink, if it is the one that stayed.
static int open_merged(const struct merged *directory) {
  struct stat now;
  int fd = open_below("/", directory->path + 1, NULL);
  if (fd >= 0 && !fstat(fd, &now) && now.st_dev == directory->before.st_dev && now.st_ino == directory->before.st_ino) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static int has_moved;

int has_been_moved(void) { return has_moved; }

// A command may have moved a directory that holds something of the container.
static void bring_back(const struct merged *directory, const char *into) {
  char self[64], now[PATH_MAX], rest[PATH_MAX];
  static int moved;
  int fd = open_merged(directory);
  if (fd >= 0) {
    close(fd);
    return;
  }
  snprintf(self, sizeof self, "/proc/self/fd/%d", directory->fd);
  ssize_t size = directory->fd < 0 ? -1 : readlink(self, now, sizeof now - 1);
  if (size > 0) now[size] = 0;
  snprintf(rest, sizeof rest, "%s/moved-%d", into, moved++);
  if (size <= 0 || (rename(directory->path, rest) && errno != ENOENT) || rename(now, directory->path))
    die("Cannot put the container's files back: a command has moved \"%s\", which holds something of the container; start a new one", directory->path);
  has_moved = 1;
  fprintf(stderr, "Cannot run in place: the command has moved \"%s\", which holds something of this container\n", directory->path);
}

static struct {
  int from, to;
} moving;
static const char *moving_path;

static void move_out(const char *directory, const char *name) {
  char path[PATH_MAX];
  (void)directory;
  join_path(path, moving_path, name);
  if (is_kept(path) || is_merged(path)) return;
  if (renameat(moving.from, name, moving.to, name)) die_errno("Cannot take \"%s\" away", path);
}

// What the image and the command have in a directory goes where it came from, together with what became of the directory itself.
static void empty_merged(const struct merged *directory, const char *into) {
  char target[PATH_MAX], self[64];
  struct stat now;
  snprintf(target, sizeof target, "%s%s", into, directory->path);
  if (mkdir(target, 0755) && errno != EEXIST) die_errno("Cannot make \"%s\"", target);
  moving.from = open_merged(directory);
  moving.to = open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  moving_path = directory->path;
  if (moving.from < 0 || moving.to < 0 || fstat(moving.from, &now)) die_errno("Cannot take away what is in \"%s\"", directory->path);
  snprintf(self, sizeof self, "/proc/self/fd/%d", moving.from);
  list_names(self, move_out);
  give_attributes(moving.to, &now);
  close(moving.from);
  close(moving.to);
}

static void move_back(const char *record) {
  char aside[64];
  int size = 0, number;
  if (sscanf(record, "a %d %n", &number, &size) != 1 || !size) die("Cannot understand \"%s\"", JOURNAL);
  snprintf(aside, sizeof aside, "%s/%d", ASIDE, number);
  if (rename(aside, record + size) && errno != ENOENT) die_errno("Cannot put \"%s\" back", record + size);
}

static char *read_journal(size_t *size) {
  int fd = open(JOURNAL, O_RDONLY | O_CLOEXEC);
  struct stat now;
  if (fd < 0 && errno == ENOENT) return NULL;
  if (fd < 0 || fstat(fd, &now)) die_errno("Cannot read \"%s\"", JOURNAL);
  char *text = allocate((size_t)now.st_size + 1);
  *size = read_full(fd, text, (size_t)now.st_size);
  text[*size] = 0;
  close(fd);
  // The last record may have been cut off; what it says was not done.
  while (*size && text[*size - 1]) --*size;
  return text;
}

void undo_journal(const char *into) {
  size_t size, count = 0;
  char *text = read_journal(&size);
  if (!text && journal >= 0) die("Cannot put the container's files back: a command has removed \"%s\"; start a new one", JOURNAL);
  if (!text) return;
  const char **records = allocate((size + 1) * sizeof *records);
  for (const char *at = text; at < text + size; at += strlen(at) + 1) records[count++] = at;
  int cleared = 0, emptied = 0, is_own = journal >= 0;
  struct stat now;
  for (size_t i = 0; i < count; i++) {
    if (*records[i] == 'c') cleared = 1;
    if (*records[i] == 'e') emptied = 1;
    if (*records[i] == 'k') keep_place(records[i] + 2);
    if (*records[i] != 'm' || is_own) continue;
    const char *path = read_status(records[i], &now);
    remember_merged(path, &now, -1);
  }
  if (!is_own && (journal = open(JOURNAL, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0) die_errno("Cannot write \"%s\"", JOURNAL);
  if (cleared && !emptied) {
    for (size_t i = 0; i < merged_count; i++) bring_back(&merged[i], into);
    for (size_t i = 0; i < merged_count; i++) empty_merged(&merged[i], into);
    write_record("e");
  }
  for (size_t i = 0; i < count; i++)
    if (*records[i] == 'd' && mkdir(read_status(records[i], &now), 0700) && errno != EEXIST) die_errno("Cannot put a directory back");
  for (size_t i = count; i-- > 0;)
    if (*records[i] == 'a') move_back(records[i]);
  for (size_t i = count; i-- > 0;) {
    if (*records[i] != 'd' && *records[i] != 'm') continue;
    int fd = open(read_status(records[i], &now), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) continue;
    give_attributes(fd, &now);
    close(fd);
  }
  close(journal);
  journal = -1;
  if (unlink(JOURNAL) || rmdir(ASIDE)) die_errno("Cannot remove \"%s\"", JOURNAL);
  free(records);
  free(text);
}
