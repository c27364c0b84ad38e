// The helper's commands: what Node.js cannot do itself, in one small static program.
#include <stdio.h>
#include <string.h>

#include "serve.h"

int cmd_run(int argc, char **argv);
int cmd_apply(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_pack(int argc, char **argv);
int cmd_capabilities(int argc, char **argv);
int cmd_contents(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_read(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_own(int argc, char **argv);
int cmd_move(int argc, char **argv);
int cmd_serve(int argc, char **argv);

static int cmd_version(int argc, char **argv) {
  (void)argc, (void)argv;
  return puts("slipway-helper 1") < 0;
}

int do_command(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*main)(int, char **);
  } commands[] = {
      {"run", cmd_run},           {"apply", cmd_apply}, {"scan", cmd_scan}, {"pack", cmd_pack},   {"capabilities", cmd_capabilities},
      {"contents", cmd_contents}, {"unpack", cmd_unpack}, {"read", cmd_read}, {"own", cmd_own}, {"move", cmd_move},
      {"remove", cmd_remove}, {"serve", cmd_serve}, {"version", cmd_version},
  };
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
    if (!strcmp(argv[1], commands[i].name)) return commands[i].main(argc - 1, argv + 1);
  fprintf(stderr,
          "Cannot do \"%s\": slipway-helper knows run, apply, scan, pack, capabilities, contents, unpack, read, own, move, remove, serve and version\n",
          argc > 1 ? argv[1] : "");
  return 2;
}

int main(int argc, char **argv) { return do_command(argc, argv); }
