// A user namespace with subordinate ids: newuidmap and newgidmap write them, which may do so for a user whom /etc/subuid and /etc/subgid name.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "serve.h"

enum { WORDS_MAX = 1024 };

static void map_with(const char *program, pid_t child, char *ids) {
  char *words[WORDS_MAX + 3], number[16];
  size_t count = 0;
  snprintf(number, sizeof number, "%d", child);
  words[count++] = (char *)program;
  words[count++] = number;
  for (char *word = strtok(ids, " "); word && count < WORDS_MAX; word = strtok(NULL, " ")) words[count++] = word;
  words[count] = NULL;
  pid_t pid = fork();
  if (pid < 0) die_errno("Cannot fork");
  if (pid == 0) {
    setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin:/run/wrappers/bin", 1);
    execvp(program, words);
    dprintf(2, "Cannot run %s: %s\n", program, strerror(errno));
    _exit(127);
  }
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) die("Cannot map subordinate ids with %s", program);
}

pid_t start_mapped(char *uids, char *gids) {
  int gate[2];
  open_gate(gate);
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid < 0) die_errno("Cannot make user namespaces");
  if (pid == 0) {
    await_ids(gate);
    if (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0)) die_errno("Cannot become root of a user namespace");
    return 0;
  }
  close(gate[0]);
  map_with("newuidmap", pid, uids);
  map_with("newgidmap", pid, gids);
  write_full(gate[1], "", 1);
  close(gate[1]);
  return pid;
}
