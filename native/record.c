// Records of what files are for the image.
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

// A bit that has no effect where all files are one user's says that the mode is not the file's own: whoever sets a mode clears it.
mode_t shown_mode(mode_t mode) {
  mode_t needed = S_ISDIR(mode) ? 0700 : 0400, bits = mode & 07777;
  return (bits & needed) == needed ? bits : (bits | needed) ^ S_ISVTX;
}

int write_record(const char *path, const struct record *record) { return lsetxattr(path, RECORD, record, sizeof *record, 0); }

// A command may write what it likes into a record; what that says must be possible.
int apply_record(const struct record *record, struct stat *now) {
  int is_device = S_ISCHR(record->mode) || S_ISBLK(record->mode);
  if (!S_ISDIR(record->mode) && !S_ISREG(record->mode) && !is_device) return errno = ENODATA, -1;
  if (S_ISDIR(record->mode) != S_ISDIR(now->st_mode)) return errno = ENODATA, -1;
  mode_t bits = (now->st_mode & 07777) == record->shown ? record->mode & 07777 : now->st_mode & 07777;
  now->st_uid = record->uid;
  now->st_gid = record->gid;
  now->st_mode = (record->mode & S_IFMT) | bits;
  if (is_device) {
    now->st_rdev = makedev(record->major, record->minor);
    now->st_size = 0;
  }
  return 0;
}

int read_record(const char *path, struct stat *now) {
  struct record record;
  ssize_t size = lgetxattr(path, RECORD, &record, sizeof record);
  if (size == (ssize_t)sizeof record) return apply_record(&record, now);
  if (size >= 0) errno = ENODATA;
  return -1;
}

// linux/capability.h: VFS_CAP_REVISION_3 with 24 bytes, VFS_CAP_REVISION_2 with 20, little-endian, the revision in the highest byte.
size_t plain_capability(char *value, size_t size) {
  if (size != 24 || value[3] != 3) return size;
  value[3] = 2;
  return 20;
}

uint64_t born_at(int directory, const char *name) {
  struct statx now;
  if (statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &now) || !(now.stx_mask & STATX_BTIME)) return 0;
  return (uint64_t)now.stx_btime.tv_sec * 1000000000 + now.stx_btime.tv_nsec;
}
