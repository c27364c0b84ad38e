// Looks at no more of a tar than it takes to find the next header. What this guesses is never trusted: where the builder reads the archive otherwise, it asks for bytes that
// were taken for a content.
#include "walk.h"

#include <string.h>

#include "ring.h"
#include "sha256.h"

enum { BLOCK = 512, KEPT_MAX = 1 << 20, BODY_MAX = 1 << 20, PIECE = 64 << 10 };
// How many bytes are walked past before the ring hears of it.
enum { RELEASE_STEP = 128 << 10 };

static struct {
  struct writer *events;
  int digests;
  uint64_t at, seen, released;
  // What the last extended header says of the next entry's size, -1 if nothing.
  int64_t size;
} walk;

// Waits for bytes up to a place; 0 where the tar ends before. What has been told leaves before there is a wait.
static int has(uint64_t position) {
  if (walk.seen >= position) return 1;
  walk.seen = ring_wait(walk.at);
  if (walk.seen >= position) return 1;
  flush_writer(walk.events);
  ring_release(RING_WALK, walk.released = walk.at);
  walk.seen = ring_wait(position);
  return walk.seen >= position;
}

static void advance(uint64_t size) {
  walk.at += size;
  if (walk.at - walk.released < RELEASE_STEP) return;
  ring_release(RING_WALK, walk.released = walk.at);
}

// The next bytes as they are, or as many of them as there are.
static void tell_bytes(uint64_t size) {
  while (size > 0) {
    uint64_t part = size < PIECE ? size : PIECE;
    if (!has(walk.at + part)) part = walk.seen - walk.at;
    if (part == 0) return;
    begin_frame(walk.events, 'I');
    put_raw(walk.events, ring_at(walk.at), part);
    end_frame(walk.events);
    advance(part);
    size -= part;
  }
}

static void put_digest(struct sha256 *hash) {
  uint8_t digest[SHA256_SIZE] = {0};
  if (walk.digests) sha256_finish(hash, digest);
  put_raw(walk.events, digest, sizeof digest);
}

static void tell_kept(uint32_t size) {
  if (!has(walk.at + size)) size = (uint32_t)(walk.seen - walk.at);
  if (size == 0) return;
  struct sha256 hash;
  sha256_start(&hash);
  if (walk.digests) sha256_update(&hash, ring_at(walk.at), size);
  begin_frame(walk.events, 'P');
  put_u32(walk.events, size);
  put_digest(&hash);
  end_frame(walk.events);
  advance(size);
}

static void tell_passing(uint64_t size) {
  begin_frame(walk.events, 'B');
  put_u64(walk.events, size);
  end_frame(walk.events);
  flush_writer(walk.events);
  struct sha256 hash;
  sha256_start(&hash);
  uint64_t left = size;
  while (left > 0) {
    uint64_t part = left < PIECE ? left : PIECE;
    if (!has(walk.at + part)) part = walk.seen - walk.at;
    if (part == 0) break;
    if (walk.digests) sha256_update(&hash, ring_at(walk.at), part);
    advance(part);
    left -= part;
  }
  begin_frame(walk.events, 'E');
  put_u64(walk.events, size - left);
  put_digest(&hash);
  end_frame(walk.events);
}

static void tell_content(uint64_t size) {
  if (size <= KEPT_MAX)
    tell_kept((uint32_t)size);
  else
    tell_passing(size);
}

static void tell_rest(void) {
  while (has(walk.at + 1)) tell_kept(walk.seen - walk.at < KEPT_MAX ? (uint32_t)(walk.seen - walk.at) : KEPT_MAX);
}

// A number of a header: octal digits, or base 256. -1 where it is none.
static int64_t number_at(const uint8_t *field, size_t length) {
  int64_t value = 0;
  size_t i = 0;
  if (field[0] & 0x80) {
    value = field[0] & 0x7f;
    for (i = 1; i < length; i++) {
      if (value >> 54) return -1;
      value = value << 8 | field[i];
    }
    return value;
  }
  while (i < length && (field[i] == ' ' || field[i] == 0)) i++;
  for (; i < length && field[i] >= '0' && field[i] <= '7'; i++) value = value << 3 | (field[i] - '0');
  return value;
}

static int is_zero(const uint8_t *block) { return block[0] == 0 && !memcmp(block, block + 1, BLOCK - 1); }

static int has_checksum(const uint8_t *block) {
  int64_t plain = 8 * ' ', minus = 8 * ' ', expected = number_at(block + 148, 8);
  for (int i = 0; i < BLOCK; i++) {
    if (i >= 148 && i < 156) continue;
    plain += block[i], minus += (int8_t)block[i];
  }
  return expected == plain || expected == minus;
}

// Of the records of an extended header the one that says how long the next content is.
static int64_t size_in(const uint8_t *body, size_t length) {
  int64_t size = -1;
  for (size_t start = 0; start < length;) {
    size_t record = 0, i = start;
    for (; i < length && i < start + 9 && body[i] >= '0' && body[i] <= '9'; i++) record = record * 10 + (size_t)(body[i] - '0');
    if (record < 3 || record > length - start || body[i] != ' ') break;
    if (start + record - i > 7 && !memcmp(body + i, " size=", 6)) {
      size = 0;
      for (i += 6; i < start + record - 1 && body[i] >= '0' && body[i] <= '9' && !(size >> 54); i++) size = size * 10 + (body[i] - '0');
    }
    start += record;
  }
  return size;
}

static uint64_t padded(uint64_t size) { return (size + BLOCK - 1) / BLOCK * BLOCK; }

static void tell_entry(uint64_t size) {
  tell_content(size);
  tell_bytes(padded(size) - size);
}

// One header with what follows it; 0 where the rest is none.
static int walk_entry(void) {
  uint8_t block[BLOCK];
  if (!has(walk.at + BLOCK)) return 0;
  memcpy(block, ring_at(walk.at), BLOCK);
  tell_bytes(BLOCK);
  if (is_zero(block)) {
    tell_bytes(BLOCK);
    return 0;
  }
  int64_t size = number_at(block + 124, 12), said = walk.size;
  if (size < 0 || !has_checksum(block)) return 0;
  size_t name = strnlen((const char *)block, 100);
  switch (block[156]) {
    case 'x':
    case 'X':
      if (size > BODY_MAX || !has(walk.at + (uint64_t)size)) return 0;
      walk.size = size_in(ring_at(walk.at), (size_t)size);
      tell_bytes(padded((uint64_t)size));
      return 1;
    case 'g':
      walk.size = -1;
      tell_entry((uint64_t)size);
      return 1;
    case 'V':
      tell_entry((uint64_t)size);
      return 1;
    case 'L':
    case 'K':
      if (size > BODY_MAX) return 0;
      tell_bytes(padded((uint64_t)size));
      return 1;
    case 'S':
      for (int has_more = block[482]; has_more && has(walk.at + BLOCK); tell_bytes(BLOCK)) has_more = ring_at(walk.at)[504];
      break;
    case 0:
      // A directory of old archives.
      if (name > 0 && block[name - 1] == '/') size = said = 0;
      break;
    case '0':
    case '7':
      break;
    default:
      size = said = 0;
  }
  walk.size = -1;
  tell_entry((uint64_t)(said < 0 ? size : said));
  return 1;
}

void walk_tar(struct writer *events, int digests) {
  walk.events = events;
  walk.digests = digests;
  walk.size = -1;
  while (walk_entry());
  tell_rest();
  ring_release(RING_WALK, UINT64_MAX);
}
