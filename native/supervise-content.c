// Files of a mount whose bytes are on no disk: a socket without a listener stands where each is to be seen, which nobody can read
// something else from, and whoever opens that gets the bytes from memory.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "run.h"
#include "supervise.h"

static struct content {
  char name[NAME_MAX + 1];
  int memory;
  struct stat shown;
} *contents;
static int content_count;

int keep_content(int directory, const char *name, struct mount *mount) {
  if (mknodat(directory, name, S_IFSOCK, 0)) return -1;
  if (fchownat(directory, name, mount->uid, mount->gid, AT_SYMLINK_NOFOLLOW) || fchmodat(directory, name, mount->mode, 0)) return -1;
  if (content_count % 16 == 0) contents = reallocate(contents, (size_t)(content_count + 16) * sizeof *contents);
  struct content *content = &contents[content_count];
  snprintf(content->name, sizeof content->name, "%s", name);
  content->memory = memfd_create("content", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (content->memory < 0 || fstatat(directory, name, &content->shown, AT_SYMLINK_NOFOLLOW)) return -1;
  write_full(content->memory, mount->content, mount->content_size);
  explicit_bzero(mount->content, mount->content_size);
  if (fcntl(content->memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)) return -1;
  content->shown.st_mode = S_IFREG | mount->mode;
  content->shown.st_size = (off_t)mount->content_size;
  content->shown.st_blocks = (content->shown.st_size + 511) / 512;
  content_count++;
  return 0;
}

// What the path of the call leads to, as its process sees it; only where it may be one of these files.
static int hold_candidate(struct call *call, int directory, int follow) {
  char path[PATH_MAX], link[1];
  const char *slash = strrchr(call->path, '/'), *name = slash ? slash + 1 : call->path;
  int base = outside.proc, size, is_named = 0;
  if (*call->path == '/') base = AT_FDCWD, size = snprintf(path, sizeof path, "%s", call->path);
  else if (directory == AT_FDCWD) size = snprintf(path, sizeof path, "%d/cwd/%s", call->thread, call->path);
  else size = snprintf(path, sizeof path, "%d/fd/%d/%s", call->thread, directory, call->path);
  if (size >= PATH_MAX) return -1;
  for (int i = 0; i < content_count; i++) is_named |= !strcmp(name, contents[i].name);
  if (!is_named && (!follow || readlinkat(base, path, link, sizeof link) < 0)) return -1;
  if (find_process(call)) return -1;
  return openat(base, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
}

int find_content(struct call *call, int directory, int follow, int *held) {
  struct stat now;
  if (!content_count || !*call->path || (*held = hold_candidate(call, directory, follow)) < 0) return -1;
  if (!fstatat(*held, "", &now, AT_EMPTY_PATH))
    for (int i = 0; i < content_count; i++)
      if (now.st_ino == contents[i].shown.st_ino && now.st_dev == contents[i].shown.st_dev) return i;
  close(*held);
  return -1;
}

static void open_content(const struct call *call, const struct content *content, int held, int flags) {
  char path[32];
  if (flags & O_CREAT && flags & O_EXCL) return answer_call(call, 0, EEXIST);
  if (flags & O_DIRECTORY) return answer_call(call, 0, ENOTDIR);
  if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC) return answer_call(call, 0, EROFS);
  snprintf(path, sizeof path, "self/fd/%d", held);
  if (faccessat(outside.proc, path, R_OK, 0)) return answer_call(call, 0, errno);
  snprintf(path, sizeof path, "self/fd/%d", content->memory);
  int fd = openat(outside.proc, path, (flags & O_PATH) | O_RDONLY | O_CLOEXEC);
  if (fd < 0) return answer_call(call, 0, errno);
  hand_in(call, fd, flags);
  close(fd);
}

void serve_content(const struct call *call, const struct handed_call *what, int index, int held, int flags) {
  const struct content *content = &contents[index];
  struct statfs fs;
  switch (what->operation) {
    case OPEN:
    case OPEN_HOW: return open_content(call, content, held, flags);
    case STAT:
    case LINK_STAT:
    case STAT_FLAGS:
    case STATX: return answer_status(call, what, &content->shown, held);
    case ACCESS: return answer_access(call, what, held, 0);
    case READ_LINK: return answer_call(call, 0, EINVAL);
    case CHANGE_MODE:
    case CHANGE_OWNER:
    case CHANGE_LINK_OWNER:
    case CHANGE_TIMES: return answer_call(call, 0, EROFS);
    case ENTER: return answer_call(call, 0, ENOTDIR);
    case EXECUTE: return answer_call(call, 0, EACCES);
    case ATTRIBUTES:
    case LINK_ATTRIBUTES: return answer_call(call, 0, EOPNOTSUPP);
    case FILE_SYSTEM:
      if (fstatfs(content->memory, &fs)) return answer_call(call, 0, errno);
      return answer_data(call, what, &fs, sizeof fs);
  }
}
