// What the commands that write below one directory share.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

// With records owners, devices and what else only root may make are recorded: record.h.
void open_root(const char *path, int with_records);

// Does what one message says; 0 for the last one.
int apply_message(struct frame *frame);

// Some of the `left` bytes of a content from byte `at` on; NULL where there are no more. They stay until the next call.
typedef const char *next_piece(uint64_t at, uint64_t left, size_t *size);

// A file whose content is elsewhere: as 'F', but that byte and size follow the attributes.
void apply_streamed(struct frame *frame, next_piece *next);
