// What a file is for the image where the builder may not make it so: its owner, the type of a device, a mode that would lock the builder
// out, a capability. It stands in extended attributes of the file that stands for it, which go with it wherever it goes.
#pragma once
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

// The second is for the value of security.capability that could not be set.
#define RECORD "user.slipway.owner"
#define RECORDED_CAPABILITY "user.slipway.capability"

struct record {
  uint32_t uid, gid;
  uint32_t mode;   // as of stat, with its type
  uint32_t shown;  // the permission bits on disk that stand for `mode`; where they are others, somebody has set them since
  uint32_t major, minor;
};

// The permission bits with which the builder can read a file, and read and change a directory.
mode_t shown_mode(mode_t mode);
// Writes what an object is into the record of the file, directory or device that stands for it. -1 with errno.
int write_record(const char *path, const struct record *record);
// Takes what a record says into `now`, which is what the kernel says. -1 with errno where there is none, or none that can be.
int read_record(const char *path, struct stat *now);
int apply_record(const struct record *record, struct stat *now);
// Of security.capability as a user namespace stores it: the form without the namespace's own id, in place; gives its size.
size_t plain_capability(char *value, size_t size);

// The owners of what can carry no attribute, and of what has been given to nobody: a file beside the directory, "DIRECTORY.owners",
// one after the other, the one with the inode 0 for all that has none.
struct owner {
  uint64_t inode, born;  // numbers of inodes are used again
  uint32_t uid, gid;
  uint32_t number;  // of two about the same object the higher counts
  uint32_t unused;
};
// When an object was made, in nanoseconds; 0 where the file system does not say.
uint64_t born_at(int directory, const char *name);
