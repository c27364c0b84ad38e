// Inflates gzip without a state to leave and come back to: whoever calls has a thread for it, so that both ends can be waited for in the middle. Matches are copied
// where their bytes lie in the ring, and the next symbols come from tables of 11 (literals and lengths) and 8 bits (distances), with tables below them for longer codes.
#include "inflate.h"

#include <libdeflate.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

enum { INPUT_SIZE = 256 << 10, MARGIN = 32, LONGEST_MATCH = 258 };
enum { MAX_LITERALS = 288, MAX_DISTANCES = 32, MAX_CODE = 15 };
enum { LITERAL_BITS = 11, DISTANCE_BITS = 8, PRECODE_BITS = 7 };

// An entry of a table: bits to take for the code and its extra bits (6), the code's own (4, from bit 8), what it is (from bit 12), its value (from bit 16).
enum { IS_LITERAL = 1 << 12, IS_SPECIAL = 1 << 13, IS_END = 1 << 14, IS_TABLE = 1 << 15 };

static struct {
  inflate_source *source;
  const struct inflate_sink *sink;
  const char **why;
  jmp_buf failed;

  // Input that was read and not taken; MARGIN zero bytes follow its end when there is no more.
  uint8_t *input;
  const uint8_t *in;
  uint8_t *in_end;
  int has_ended;
  uint64_t bits;
  unsigned count;

  // What was put out: from `start` of the room on up to `out`, which is byte number `position` less `out - start`.
  uint8_t *start, *out, *out_end;
  uint64_t position, member;
  uint32_t crc;

  // As many as a table has and the tables below it may have: n leaves make at most 16/5 n entries below 11 bits, and 16 n below 8.
  uint32_t literals[(1 << LITERAL_BITS) + 1024], distances[(1 << DISTANCE_BITS) + 512], precode[1 << PRECODE_BITS];
} z;

static _Noreturn void fail(enum inflate_end end, const char *why) {
  *z.why = why;
  longjmp(z.failed, (int)end);
}

// Input.

// Has MARGIN bytes at `in`, or all that there are with zeros behind them.
static void fill_input(void) {
  if (z.in_end - z.in >= MARGIN || z.has_ended) return;
  // Bytes that lie in `bits` may be given back.
  size_t looked_at = z.count >> 3, left = (size_t)(z.in_end - z.in) + looked_at;
  memmove(z.input, z.in - looked_at, left);
  z.in = z.input + looked_at;
  while (left < MARGIN + looked_at && !z.has_ended) {
    size_t n = z.source(z.input + left, INPUT_SIZE - left);
    z.has_ended = n == 0;
    left += n;
  }
  z.in_end = z.input + left;
  if (z.has_ended) memset(z.in_end, 0, MARGIN);
}

__attribute__((always_inline)) static inline uint64_t load_u64(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

// At least 56 bits. Behind `count` there may be more bits of the same input; the next load puts them there again.
#define REFILL() \
  do { \
    bits |= load_u64(in) << count; \
    in += (63 - count) >> 3; \
    count |= 56; \
  } while (0)

#define TAKE(n) (bits >>= (n), count -= (n))

// How many bytes of input have been taken past the last one; a symbol may need fewer bits than were looked at.
static int is_past_end(const uint8_t *in, unsigned count) { return in - (count >> 3) > z.in_end; }

// Has `n` bits, at most 32; behind the end they are zeros.
static void look_bits(unsigned n) {
  if (z.count >= n) return;
  fill_input();
  uint64_t bits = z.bits;
  unsigned count = z.count;
  const uint8_t *in = z.in;
  REFILL();
  z.bits = bits, z.count = count, z.in = in;
}

static uint32_t take_bits(unsigned n) {
  look_bits(n);
  uint32_t value = (uint32_t)(z.bits & (((uint64_t)1 << n) - 1));
  z.bits >>= n, z.count -= n;
  if (z.has_ended && is_past_end(z.in, z.count)) fail(INFLATE_SHORT, "unexpected end of file");
  return value;
}

// Gives whole bytes back that were looked at only.
static void align_input(void) {
  unsigned part = z.count & 7;
  z.bits >>= part, z.count -= part;
  z.in -= z.count >> 3;
  z.bits = 0, z.count = 0;
}

// Output.

static void publish(void) {
  size_t size = (size_t)(z.out - z.start);
  if (size == 0) return;
  z.crc = libdeflate_crc32(z.crc, z.start, size);
  z.position += size;
  z.start = z.out;
  z.sink->publish(z.position);
}

static void reserve(void) {
  publish();
  size_t room;
  z.start = z.out = z.sink->reserve(z.position, &room);
  z.out_end = z.out + room;
}

// Tables.

static uint32_t reverse(uint32_t code, unsigned length) {
  uint32_t reversed = 0;
  for (unsigned i = 0; i < length; i++) reversed |= (code >> i & 1) << (length - 1 - i);
  return reversed;
}

// Makes the table of a canonical code from its lengths; entries say what `values` has for the symbol. 0 where the lengths are too many, or too few but for a lone
// one: as zlib has it.
static int make_table(uint32_t *table, unsigned table_bits, const uint8_t *lengths, unsigned symbols, const uint32_t *values, int may_lack) {
  unsigned counts[MAX_CODE + 1] = {0}, longest = MAX_CODE;
  uint32_t next[MAX_CODE + 2] = {0};
  for (unsigned i = 0; i < symbols; i++) counts[lengths[i]]++;
  counts[0] = 0;
  while (longest > 0 && counts[longest] == 0) longest--;
  int32_t left = 1;
  for (unsigned length = 1; length <= MAX_CODE; length++) {
    left = left * 2 - (int32_t)counts[length];
    if (left < 0) return 0;
    next[length + 1] = (next[length] + counts[length]) << 1;
  }
  if (left > 0 && longest > 0 && !(may_lack && longest == 1)) return 0;
  for (uint32_t i = 0; i < 1u << table_bits; i++) table[i] = IS_SPECIAL;

  // How many bits the tables below need: their codes are the last ones, and those below one entry follow each other.
  uint32_t codes[MAX_LITERALS];
  uint8_t below[1 << LITERAL_BITS];
  if (longest > table_bits) memset(below, 0, (size_t)1 << table_bits);
  for (unsigned i = 0; i < symbols; i++) {
    unsigned length = lengths[i];
    if (length == 0) continue;
    codes[i] = reverse(next[length]++, length);
    if (length <= table_bits) continue;
    uint8_t *most = &below[codes[i] & ((1u << table_bits) - 1)];
    if (length - table_bits > *most) *most = (uint8_t)(length - table_bits);
  }
  uint32_t used = 1u << table_bits;
  if (longest > table_bits)
    for (uint32_t i = 0; i < 1u << table_bits; i++) {
      if (below[i] == 0) continue;
      table[i] = used << 16 | IS_SPECIAL | IS_TABLE | below[i];
      used += 1u << below[i];
    }
  for (unsigned i = 0; i < symbols; i++) {
    unsigned length = lengths[i];
    if (length == 0) continue;
    uint32_t *part = table, code = codes[i], size = 1u << table_bits;
    if (length > table_bits) {
      uint32_t entry = table[code & (size - 1)];
      part = table + (entry >> 16), size = 1u << (entry & 63), code >>= table_bits, length -= table_bits;
    }
    uint32_t entry = values[i] + (length << 8 | length);
    for (; code < size; code += 1u << length) part[code] = entry;
  }
  return 1;
}

static struct {
  uint32_t literals[MAX_LITERALS], distances[MAX_DISTANCES], precode[19];
} values;

// Lengths and distances and their extra bits: https://www.rfc-editor.org/rfc/rfc1951#section-3.2.5
static void make_values(void) {
  for (uint32_t i = 0; i < 19; i++) values.precode[i] = i << 16;
  for (uint32_t i = 0; i < 256; i++) values.literals[i] = i << 16 | IS_LITERAL;
  values.literals[256] = IS_SPECIAL | IS_END;
  uint32_t base = 3;
  for (uint32_t i = 0; i < 28; i++) {
    uint32_t extra = i < 8 ? 0 : i / 4 - 1;
    values.literals[257 + i] = base << 16 | extra;
    base += 1u << extra;
  }
  values.literals[285] = 258u << 16;
  values.literals[286] = values.literals[287] = IS_SPECIAL;
  base = 1;
  for (uint32_t i = 0; i < 30; i++) {
    uint32_t extra = i < 4 ? 0 : i / 2 - 1;
    values.distances[i] = base << 16 | extra;
    base += 1u << extra;
  }
  values.distances[30] = values.distances[31] = IS_SPECIAL;
}

static void make_fixed_tables(void) {
  uint8_t lengths[MAX_LITERALS];
  memset(lengths, 8, 144), memset(lengths + 144, 9, 112), memset(lengths + 256, 7, 24), memset(lengths + 280, 8, 8);
  make_table(z.literals, LITERAL_BITS, lengths, MAX_LITERALS, values.literals, 0);
  memset(lengths, 5, MAX_DISTANCES);
  make_table(z.distances, DISTANCE_BITS, lengths, MAX_DISTANCES, values.distances, 0);
}

static void read_tables(void) {
  static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  uint8_t lengths[MAX_LITERALS + MAX_DISTANCES + 138] = {0}, precode[19] = {0};
  unsigned literals = take_bits(5) + 257, distances = take_bits(5) + 1, codes = take_bits(4) + 4;
  if (literals > 286 || distances > 30) fail(INFLATE_DAMAGED, "too many length or distance symbols");
  for (unsigned i = 0; i < codes; i++) precode[order[i]] = (uint8_t)take_bits(3);
  if (!make_table(z.precode, PRECODE_BITS, precode, 19, values.precode, 0)) fail(INFLATE_DAMAGED, "invalid code lengths set");
  for (unsigned i = 0; i < literals + distances;) {
    look_bits(PRECODE_BITS);
    uint32_t entry = z.precode[z.bits & ((1 << PRECODE_BITS) - 1)];
    if (entry & IS_SPECIAL) fail(INFLATE_DAMAGED, "invalid code lengths set");
    take_bits(entry & 63);
    unsigned symbol = entry >> 16, times = 1;
    uint8_t length = (uint8_t)symbol;
    if (symbol >= 16) {
      if (symbol == 16 && i == 0) fail(INFLATE_DAMAGED, "invalid bit length repeat");
      length = symbol == 16 ? lengths[i - 1] : 0;
      times = symbol == 16 ? 3 + take_bits(2) : symbol == 17 ? 3 + take_bits(3) : 11 + take_bits(7);
    }
    if (i + times > literals + distances) fail(INFLATE_DAMAGED, "invalid bit length repeat");
    memset(lengths + i, length, times);
    i += times;
  }
  if (lengths[256] == 0) fail(INFLATE_DAMAGED, "invalid code -- missing end-of-block");
  if (!make_table(z.literals, LITERAL_BITS, lengths, literals, values.literals, 1)) fail(INFLATE_DAMAGED, "invalid literal/lengths set");
  if (!make_table(z.distances, DISTANCE_BITS, lengths + literals, distances, values.distances, 1)) fail(INFLATE_DAMAGED, "invalid distances set");
}

// Blocks.

static void copy_stored(void) {
  align_input();
  uint8_t sizes[4];
  for (int i = 0; i < 4; i++) sizes[i] = (uint8_t)take_bits(8);
  align_input();
  uint32_t left = sizes[0] | (uint32_t)sizes[1] << 8;
  if (left != (~(sizes[2] | (uint32_t)sizes[3] << 8) & 0xffff)) fail(INFLATE_DAMAGED, "invalid stored block lengths");
  while (left > 0) {
    fill_input();
    if (z.in == z.in_end) fail(INFLATE_SHORT, "unexpected end of file");
    if (z.out == z.out_end) reserve();
    size_t part = (size_t)(z.in_end - z.in), room = (size_t)(z.out_end - z.out);
    if (part > left) part = left;
    if (part > room) part = room;
    memcpy(z.out, z.in, part);
    z.in += part, z.out += part, left -= (uint32_t)part;
  }
}

// Copies a match; up to 15 bytes behind it are spoilt.
__attribute__((always_inline)) static inline void copy_match(uint8_t *out, size_t distance, size_t length) {
  const uint8_t *from = out - distance;
  uint8_t *end = out + length;
  if (distance >= 16) {
    for (; out < end; out += 16, from += 16) memcpy(out, from, 16);
  } else if (distance >= 8) {
    for (; out < end; out += 8, from += 8) memcpy(out, from, 8);
  } else if (distance == 1) {
    memset(out, *from, length);
  } else {
    while (out < end) *out++ = *from++;
  }
}

__attribute__((always_inline)) static inline void inflate_codes(void) {
  for (;;) {
    fill_input();
    if (z.out_end - z.out < LONGEST_MATCH + 4) reserve();
    // How far back a match may reach: to the start of the member, or a window's length.
    uint64_t before = z.position + (uint64_t)(z.out - z.start) - z.member;
    const uint8_t *low = z.out - (before < INFLATE_WINDOW ? before : INFLATE_WINDOW);
    uint64_t bits = z.bits;
    unsigned count = z.count;
    const uint8_t *in = z.in;
    uint8_t *out = z.out;
    // Near the end of the input each symbol is looked at on its own; elsewhere none can pass it.
    int is_careful = z.has_ended && z.in_end - in < MARGIN;
    const uint8_t *in_limit = is_careful ? in : z.in_end - MARGIN;
    const uint8_t *out_limit = z.out_end - LONGEST_MATCH - 4;
    uint32_t entry;
    do {
      REFILL();
      entry = z.literals[bits & ((1 << LITERAL_BITS) - 1)];
      if (entry & IS_LITERAL && !is_careful) {
        TAKE(entry & 63);
        *out++ = (uint8_t)(entry >> 16);
        entry = z.literals[bits & ((1 << LITERAL_BITS) - 1)];
        if (entry & IS_LITERAL) {
          TAKE(entry & 63);
          *out++ = (uint8_t)(entry >> 16);
          entry = z.literals[bits & ((1 << LITERAL_BITS) - 1)];
          if (entry & IS_LITERAL) {
            TAKE(entry & 63);
            *out++ = (uint8_t)(entry >> 16);
            continue;
          }
        }
        REFILL();
      }
      if (entry & IS_TABLE) {
        TAKE(LITERAL_BITS);
        entry = z.literals[(entry >> 16) + (bits & ((1u << (entry & 63)) - 1))];
      }
      uint64_t taken = bits;
      TAKE(entry & 63);
      if (is_careful && is_past_end(in, count)) fail(INFLATE_SHORT, "unexpected end of file");
      if (entry & IS_LITERAL) {
        *out++ = (uint8_t)(entry >> 16);
        continue;
      }
      if (entry & IS_SPECIAL) {
        if (entry & IS_END) break;
        fail(INFLATE_DAMAGED, "invalid literal/length code");
      }
      size_t length = (entry >> 16) + (size_t)((taken & (((uint64_t)1 << (entry & 63)) - 1)) >> (entry >> 8 & 15));
      entry = z.distances[bits & ((1 << DISTANCE_BITS) - 1)];
      if (entry & IS_TABLE) {
        TAKE(DISTANCE_BITS);
        entry = z.distances[(entry >> 16) + (bits & ((1u << (entry & 63)) - 1))];
      }
      taken = bits;
      TAKE(entry & 63);
      if (is_careful && is_past_end(in, count)) fail(INFLATE_SHORT, "unexpected end of file");
      if (entry & IS_SPECIAL) fail(INFLATE_DAMAGED, "invalid distance code");
      size_t distance = (entry >> 16) + (size_t)((taken & (((uint64_t)1 << (entry & 63)) - 1)) >> (entry >> 8 & 15));
      if (distance > (size_t)(out - low)) fail(INFLATE_DAMAGED, "invalid distance too far back");
      copy_match(out, distance, length);
      out += length;
    } while (in < in_limit && out < out_limit);
    z.bits = bits, z.count = count, z.in = in, z.out = out;
    if (entry & IS_END && entry & IS_SPECIAL) return;
  }
}

#if defined(__x86_64__)
// Shifts by any number of bits take a third of the time: 10 % off the whole.
__attribute__((target("bmi2"))) static void inflate_codes_bmi2(void) { inflate_codes(); }
#endif
static void inflate_codes_plain(void) { inflate_codes(); }

static void inflate_block(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("bmi2")) {
    inflate_codes_bmi2();
    return;
  }
#endif
  inflate_codes_plain();
}

static void inflate_blocks(void) {
  for (int is_last = 0; !is_last;) {
    is_last = (int)take_bits(1);
    switch (take_bits(2)) {
      case 0: copy_stored(); continue;
      case 1: make_fixed_tables(); break;
      case 2: read_tables(); break;
      default: fail(INFLATE_DAMAGED, "invalid block type");
    }
    inflate_block();
  }
}

// Members.

static uint8_t take_header_byte(uint32_t *crc) {
  uint8_t byte = (uint8_t)take_bits(8);
  *crc = libdeflate_crc32(*crc, &byte, 1);
  return byte;
}

static void read_header(void) {
  uint32_t crc = 0;
  uint8_t start[10];
  for (int i = 0; i < 10; i++) {
    start[i] = take_header_byte(&crc);
    if (i == 1 && (start[0] != 0x1f || start[1] != 0x8b)) fail(INFLATE_DAMAGED, "incorrect header check");
  }
  if (start[2] != 8) fail(INFLATE_DAMAGED, "unknown compression method");
  uint8_t flags = start[3];
  if (flags & 0xe0) fail(INFLATE_DAMAGED, "unknown header flags set");
  if (flags & 4) {
    unsigned size = take_header_byte(&crc);
    size |= (unsigned)take_header_byte(&crc) << 8;
    while (size-- > 0) take_header_byte(&crc);
  }
  if (flags & 8) while (take_header_byte(&crc));
  if (flags & 16) while (take_header_byte(&crc));
  if (flags & 2 && take_bits(16) != (crc & 0xffff)) fail(INFLATE_DAMAGED, "header crc mismatch");
}

static void inflate_member(void) {
  read_header();
  publish();
  z.member = z.position;
  z.crc = 0;
  inflate_blocks();
  publish();
  align_input();
  uint32_t crc = take_bits(16);
  crc |= take_bits(16) << 16;
  if (crc != z.crc) fail(INFLATE_DAMAGED, "incorrect data check");
  uint32_t size = take_bits(16);
  size |= take_bits(16) << 16;
  if (size != (uint32_t)(z.position - z.member)) fail(INFLATE_DAMAGED, "incorrect length check");
  align_input();
}

enum inflate_end inflate_gzip(inflate_source *source, const struct inflate_sink *sink, const char **why) {
  make_values();
  z.source = source, z.sink = sink, z.why = why;
  z.input = z.in_end = allocate(INPUT_SIZE + MARGIN);
  z.in = z.input;
  int end = setjmp(z.failed);
  if (end == 0) {
    reserve();
    do {
      inflate_member();
      fill_input();
    } while (z.in < z.in_end && *z.in != 0);
  }
  publish();
  free(z.input);
  return (enum inflate_end)end;
}
