// Takes gzip apart (RFC 1951 and 1952) into a ring of memory, on a thread that may wait for both sides.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Why a stream is no good. The first is all in order.
enum inflate_end { INFLATE_DONE, INFLATE_SHORT, INFLATE_DAMAGED };

enum { INFLATE_WINDOW = 1 << 15, INFLATE_ROOM = 1 << 16 };

struct inflate_sink {
  // Where the byte of number `position` goes. The INFLATE_WINDOW bytes before it lie in front of it; at least INFLATE_ROOM have room behind it, `*room` says how many, and
  // some more may be spoilt.
  uint8_t *(*reserve)(uint64_t position, size_t *room);
  // All bytes before `position` are there.
  void (*publish)(uint64_t position);
};

// Bytes of a compressed stream: as many as came, 0 at the end.
typedef size_t inflate_source(uint8_t *to, size_t size);

// Any number of members, one after the other; a zero byte behind one ends the stream, as zlib in Node.js has it. `*why` says what is wrong.
enum inflate_end inflate_gzip(inflate_source *source, const struct inflate_sink *sink, const char **why);
