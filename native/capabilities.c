// capabilities: says which files carry security.capability, as many as are asked for.
//
// capabilities ROOT reads paths relative to ROOT, each ended by a NUL, and answers an 'x' with path and value for each that
// has the attribute, then 'z'. Nothing is followed at the end of a path; what is not there any more has none.
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "frame.h"

int cmd_capabilities(int argc, char **argv);

static void answer(struct writer *out, const char *path) {
  // The kernel clears as many bytes for each call, and takes no value longer than 24: https://man7.org/linux/man-pages/man7/capabilities.7.html
  char value[64];
  ssize_t size = lgetxattr(path, "security.capability", value, sizeof value);
  if (size < 0) {
    // Without the right to look, the file cannot be read either, which is told where that is tried.
    if (errno == ENODATA || errno == ENOTSUP || errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == EPERM) return;
    die_errno("Cannot read the capabilities of \"%s\"", path);
  }
  begin_frame(out, 'x');
  put_string(out, path);
  put_bytes(out, value, (uint32_t)size);
  end_frame(out);
}

int cmd_capabilities(int argc, char **argv) {
  struct writer out;
  size_t used = 0, capacity = 1 << 16;
  char *paths = allocate(capacity);
  if (argc != 2) die("usage: slipway-helper capabilities ROOT");
  if (chdir(argv[1])) die_errno("Cannot enter \"%s\"", argv[1]);
  writer_open(&out, STDOUT_FILENO);
  for (;;) {
    ssize_t n = read(STDIN_FILENO, paths + used, capacity - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("Cannot read from the builder");
    if (n == 0) break;
    used += (size_t)n;
    char *at = paths, *end;
    while ((end = memchr(at, 0, used - (size_t)(at - paths)))) {
      answer(&out, at);
      at = end + 1;
    }
    used -= (size_t)(at - paths);
    memmove(paths, at, used);
    if (used == capacity) paths = reallocate(paths, capacity *= 2);
  }
  if (used) die("Cannot read from the builder: its last path does not end");
  begin_frame(&out, 'z');
  end_frame(&out);
  flush_writer(&out);
  return 0;
}
