// Installs Docker's default seccomp filter; scripts/seccomp.ts compiles it.
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"
#include "seccomp-filter.h"

int install_seccomp(void) {
  struct sock_fprog program = {.len = sizeof default_filter / sizeof *default_filter, .filter = (struct sock_filter *)default_filter};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &program);
}
