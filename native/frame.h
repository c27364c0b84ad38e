// What the commands of the helper share: frames on pipes, buffers, errors.
//
// A frame is u32 length of the body, u8 kind, body; numbers are little-endian. A string in a body is u32 length, its
// bytes, and one NUL that the length leaves out, so that it can be used where it lies.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FRAME_MAX = 1 << 24 };

// Prints "message" or "message: errno text" to stderr and exits with 1.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *allocate(size_t size);
void *reallocate(void *old, size_t size);

// Both go on after EINTR and short counts; read_full returns less than size at the end of input alone.
size_t read_full(int fd, void *data, size_t size);
void write_full(int fd, const void *data, size_t size);

struct reader {
  int fd;
  uint8_t *data;
  size_t start, end, capacity;
};

struct frame {
  uint8_t kind;
  const uint8_t *at, *end;
};

void reader_open(struct reader *reader, int fd);
// 1 with a frame that stays valid until the next call, 0 at the end of input; dies in the middle of a frame.
int read_frame(struct reader *reader, struct frame *frame);

// Take the next field of a frame; die where it is too short.
uint8_t take_u8(struct frame *frame);
uint32_t take_u32(struct frame *frame);
uint64_t take_u64(struct frame *frame);
// The bytes end with a NUL; for take_string they hold no other.
const char *take_bytes(struct frame *frame, uint32_t *size);
const char *take_string(struct frame *frame);

struct writer {
  int fd;
  uint8_t *data;
  size_t used, capacity, frame;
};

void writer_open(struct writer *writer, int fd);
void begin_frame(struct writer *writer, uint8_t kind);
void put_u8(struct writer *writer, uint8_t value);
void put_u32(struct writer *writer, uint32_t value);
void put_u64(struct writer *writer, uint64_t value);
// As it is, without its length.
void put_raw(struct writer *writer, const void *data, size_t size);
void put_bytes(struct writer *writer, const void *data, uint32_t size);
void put_string(struct writer *writer, const char *text);
// Ends the frame; it leaves when enough has gathered or at flush_writer.
void end_frame(struct writer *writer);
void flush_writer(struct writer *writer);
