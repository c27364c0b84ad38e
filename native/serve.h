// What the files of `serve` share.
#pragma once
#include <sys/types.h>

// main.c: does one command in this process; gives its exit code.
int do_command(int argc, char **argv);

// serve-map.c: a new process that is root of a user namespace of its own, whose ids are the given ones: "0 1000 1 1 100000 65536", inside,
// outside and count of each range. Gives 0 in it.
pid_t start_mapped(char *uids, char *gids);

// remove.c: removes trees and never leaves their file systems; -1 with errno where something could not be removed.
int remove_tree(int parent, const char *name);
