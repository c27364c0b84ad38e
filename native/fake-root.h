// What root would be granted in a user namespace that has one id alone: calls that change owners and users succeed. A supervisor writes
// down what owners files were given, so that their layer has them, and says whose files are by what is written down.
#pragma once
#include "run.h"

// In the command's process, with all rights in its namespace: the filter. With `records` gives the listener that the calls about owners
// come to, else 0; -1 with errno. A user other than root may give nothing away.
int pretend_to_be_root(int is_root, int records);

// In the first process of the namespaces. Before the root is entered; with it entered, takes the listener from the channel and serves.
void open_records(const struct spec *spec);
void start_recorder(const struct spec *spec, int channel);
// For the trial, in the command's process: whether an owner is kept. -1 with errno.
int test_recorder(void);
