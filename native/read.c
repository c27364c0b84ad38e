// read: the bytes of a file that the builder may not open itself.
//
// read PATH OFFSET SIZE writes a range of a file to stdout; of what is no file, or too short, it fails.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"

int cmd_read(int argc, char **argv);

int cmd_read(int argc, char **argv) {
  if (argc != 4) die("usage: slipway-helper read PATH OFFSET SIZE");
  struct stat now;
  int fd = open(argv[1], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &now)) die_errno("Cannot read \"%s\"", argv[1]);
  if (!S_ISREG(now.st_mode)) die("Cannot read \"%s\": it is no file", argv[1]);
  off_t at = strtoll(argv[2], NULL, 10), left = strtoll(argv[3], NULL, 10);
  static char data[1 << 18];
  while (left > 0) {
    ssize_t n = pread(fd, data, left < (off_t)sizeof data ? (size_t)left : sizeof data, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("Cannot read \"%s\"", argv[1]);
    if (n == 0) die("Cannot read \"%s\": it is too short", argv[1]);
    write_full(STDOUT_FILENO, data, (size_t)n);
    at += n;
    left -= n;
  }
  return 0;
}
