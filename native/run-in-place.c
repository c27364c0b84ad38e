// A command in the container's own root, where that is the executor image's and nothing can be mounted nor another root entered: the
// files of an image come into it by rename, and go back by rename when the command has ended. What the builder and the container need
// stays where it is. Nothing is removed; what was moved stands in a journal.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "in-place.h"
#include "run.h"

static const char *source;  // the directory with the image's files
static int entered;

// Directories made in the source so that the container's counterpart can hold what is kept.
static char **counterparts;
static size_t counterpart_count;

// What the command had before it at what is kept.
static struct shown {
  const char *path;
  struct stat before;
} *shown;
static size_t shown_count;

static int is_lock_held, lock = -1;

// One command at a time in a container, of whatever build; the others wait.
static void lock_container(void) {
  struct stat now;
  if (mkdir(IN_PLACE_HOME, 0700) && errno != EEXIST) die_errno("Cannot make \"%s\"", IN_PLACE_HOME);
  if (lstat(IN_PLACE_HOME, &now) || !S_ISDIR(now.st_mode) || now.st_uid || now.st_mode & 077)
    die("Cannot run in place: \"%s\" is not the builder's", IN_PLACE_HOME);
  lock = open(IN_PLACE_HOME "/lock", O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX)) die_errno("Cannot lock \"%s\"", IN_PLACE_HOME);
  is_lock_held = 1;
}

static void undo_killed(void) {
  static const char rubbish[] = IN_PLACE_HOME "/rubbish";
  char target[64];
  if (access(IN_PLACE_HOME "/journal", F_OK)) return;
  kill_left_over();
  if (mkdir(rubbish, 0700) && errno != EEXIST) die_errno("Cannot make \"%s\"", rubbish);
  snprintf(target, sizeof target, "%s/%d", rubbish, getpid());
  if (mkdir(target, 0700) && errno != EEXIST) die_errno("Cannot make \"%s\"", target);
  undo_journal(target);
}

int recover_in_place(void) {
  if (access(IN_PLACE_HOME "/journal", F_OK)) return 0;
  expect_mark();
  lock_container();
  read_kept();
  undo_killed();
  return 0;
}

static void counterpart_of(char at[PATH_MAX], const char *path) {
  if ((size_t)snprintf(at, PATH_MAX, "%s%s", source, path) >= PATH_MAX) die("Cannot use \"%s\": its path is too long", path);
}

static _Noreturn void refuse_place(const char *path) {
  die("Cannot run in place: the image has \"%s\", where this container has something of its own; it needs another sandbox", path);
}

static int names_seen;
static void see_name(const char *directory, const char *name) {
  (void)directory, (void)name;
  names_seen++;
}

static int is_empty_directory(const char *path, const struct stat *now) {
  names_seen = 0;
  if (S_ISDIR(now->st_mode)) list_names(path, see_name);
  return S_ISDIR(now->st_mode) && !names_seen;
}

// What is kept stays in sight: an image may have an empty directory there, no more.
static void leave_kept(const char *path, const char *counterpart) {
  struct stat there, now;
  if (is_shown_everywhere(path)) return;
  if (!lstat(counterpart, &there) && !is_empty_directory(counterpart, &there)) refuse_place(path);
  if (lstat(path, &now) || !S_ISDIR(now.st_mode) || !strcmp(path, "/kaniko")) return;
  if (shown_count % 16 == 0) shown = reallocate(shown, (shown_count + 16) * sizeof *shown);
  shown[shown_count++] = (struct shown){.path = strdup(path), .before = now};
}

static void make_counterpart(const char *path, const struct stat *like) {
  if (mkdir(path, like->st_mode & 07777)) die_errno("Cannot make \"%s\"", path);
  if (counterpart_count % 16 == 0) counterparts = reallocate(counterparts, (counterpart_count + 16) * sizeof *counterparts);
  counterparts[counterpart_count++] = strdup(path);
}

static void clear_place(const char *directory, const char *name);

static void clear_directory(const char *path) {
  struct stat now;
  if (lstat(path, &now)) die_errno("Cannot look at \"%s\"", path);
  note_merged(path, &now);
  list_names(path, clear_place);
}

// Directories that only lead to what the builder does not need may go with it.
static int may_be_hidden(const char *path) { return !strcmp(path, "/etc") || !strcmp(path, "/var/run") || !strcmp(path, "/run"); }

static void clear_place(const char *directory, const char *name) {
  char path[PATH_MAX], counterpart[PATH_MAX];
  struct stat now, there;
  join_path(path, directory, name);
  counterpart_of(counterpart, path);
  if (is_kept(path)) return leave_kept(path, counterpart);
  if (lstat(path, &now)) die_errno("Cannot look at \"%s\"", path);
  if (!S_ISDIR(now.st_mode) || !has_kept_below(path)) return move_aside(path);
  if (lstat(counterpart, &there)) make_counterpart(counterpart, &now);
  else if (!S_ISDIR(there.st_mode)) {
    if (!may_be_hidden(path)) refuse_place(path);
    return move_aside(path);
  }
  clear_directory(path);
}

static void fill_place(const char *directory, const char *name) {
  char path[PATH_MAX], from[PATH_MAX];
  snprintf(from, sizeof from, "%s/%s", directory, name);
  snprintf(path, sizeof path, "%s", from + strlen(source));
  struct stat now;
  if (is_kept(path)) return;
  if (!is_merged(path)) {
    if (rename(from, path)) die_errno("Cannot put \"%s\" in place", path);
    return;
  }
  if (lstat(from, &now)) die_errno("Cannot look at \"%s\"", from);
  list_names(from, fill_place);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) die_errno("Cannot open \"%s\"", path);
  give_attributes(fd, &now);
  close(fd);
}

static void expect_reachable(const char *path, const char *what) {
  const char *kept = kept_above(path);
  if (kept && strcmp(kept, "/dev") && strncmp(kept, "/dev/", 5))
    die("Cannot run in place: %s \"%s\" lies in \"%s\", which is this container's own; it needs another sandbox", what, path, kept);
}

// What unpacking an image takes.
static void expect_rights(const char *directory) {
  char path[PATH_MAX];
  int fd = open(join_path(path, directory, "owner"), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) die_errno("Cannot make \"%s\"", path);
  if (fchown(fd, 1, 1)) die_errno("Cannot run in place: cannot give files to other users");
  if (fchmod(fd, 0644)) die_errno("Cannot run in place: cannot change files of other users");
  close(fd);
}

void enter_in_place(const struct spec *spec) {
  umask(0);
  source = spec->root;
  expect_mark();
  open_sources(spec);
  lock_container();
  read_kept();
  undo_killed();
  for (size_t i = 0; i < spec->kept_count; i++) keep_place(spec->kept[i]);
  expect_known_root();
  if (!spec->argument_count) expect_rights(spec->scratch);
  expect_reachable(spec->directory, "the working directory");
  for (size_t i = 0; i < spec->mount_count; i++) expect_reachable(spec->mounts[i].target, "the mount");
  for (const char *const *path = (const char *const[]){"/proc", "/sys", "/dev", NULL}; *path; path++) {
    char counterpart[PATH_MAX];
    counterpart_of(counterpart, *path);
    if (mkdir(counterpart, 0755) && errno != EEXIST) die_errno("Cannot make \"%s\"", counterpart);
  }
  begin_journal();
  for (size_t i = 0; i < spec->kept_count; i++) note_kept(spec->kept[i]);
  entered = 1;
  clear_directory("/");
  note_cleared();
  list_names(source, fill_place);
  put_sources(spec);
  umask(022);
  if (make_directories(spec->directory, spec->uid, spec->gid)) die_errno("Cannot make the working directory \"%s\"", spec->directory);
}

void leave_in_place(void) {
  struct stat now;
  if (!is_lock_held) return;
  is_lock_held = 0;
  remove_sources();
  if (entered) undo_journal(source);
  while (counterpart_count > 0) rmdir(counterparts[--counterpart_count]);
  close(lock);
  // Last, since nobody may listen any more.
  for (size_t i = 0; i < shown_count; i++)
    if (!lstat(shown[i].path, &now) && (now.st_mtim.tv_sec != shown[i].before.st_mtim.tv_sec || now.st_mtim.tv_nsec != shown[i].before.st_mtim.tv_nsec))
      tell_written(shown[i].path);
}
