// What the commands of the helper share: frames on pipes, buffers, errors.
#include "frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
  exit(1);
}

_Noreturn void die_errno(const char *format, ...) {
  int error = errno;
  va_list list;
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fprintf(stderr, ": %s\n", strerror(error));
  exit(1);
}

// A builder that went away with something unread resets the connection: its pipes are sockets.
static _Noreturn void die_of_pipe(const char *what) {
  if (errno == ECONNRESET || errno == EPIPE) die("%s: the builder went away", what);
  die_errno("%s", what);
}

void *allocate(size_t size) { return reallocate(NULL, size); }

void *reallocate(void *old, size_t size) {
  void *data = realloc(old, size);
  if (!data && size) die("Cannot allocate %zu bytes", size);
  return data;
}

size_t read_full(int fd, void *data, size_t size) {
  size_t got = 0;
  while (got < size) {
    ssize_t n = read(fd, (char *)data + got, size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_of_pipe("Cannot read from the builder");
    if (n == 0) break;
    got += (size_t)n;
  }
  return got;
}

void write_full(int fd, const void *data, size_t size) {
  size_t put = 0;
  while (put < size) {
    ssize_t n = write(fd, (const char *)data + put, size - put);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_of_pipe("Cannot write to the builder");
    put += (size_t)n;
  }
}

void reader_open(struct reader *reader, int fd) {
  *reader = (struct reader){.fd = fd, .capacity = 1 << 18};
  reader->data = allocate(reader->capacity);
}

// Makes `size` bytes available at start; 0 when the input ends before the first of them.
static int fill(struct reader *reader, size_t size) {
  if (reader->end - reader->start >= size) return 1;
  if (reader->start + size > reader->capacity) {
    memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->start = 0;
    if (size > reader->capacity) {
      reader->capacity = size;
      reader->data = reallocate(reader->data, size);
    }
  }
  while (reader->end - reader->start < size) {
    ssize_t n = read(reader->fd, reader->data + reader->end, reader->capacity - reader->end);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_of_pipe("Cannot read from the builder");
    if (n == 0) {
      if (reader->end == reader->start) return 0;
      die("Cannot read from the builder: its message ends early");
    }
    reader->end += (size_t)n;
  }
  return 1;
}

static uint32_t load_u32(const uint8_t *at) {
  return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

int read_frame(struct reader *reader, struct frame *frame) {
  if (!fill(reader, 5)) return 0;
  uint32_t size = load_u32(reader->data + reader->start);
  if (size > FRAME_MAX) die("Cannot read from the builder: a message of %u bytes is too long", size);
  if (!fill(reader, 5 + (size_t)size)) return 0;
  const uint8_t *at = reader->data + reader->start;
  *frame = (struct frame){.kind = at[4], .at = at + 5, .end = at + 5 + size};
  reader->start += 5 + (size_t)size;
  return 1;
}

static const uint8_t *take(struct frame *frame, size_t size) {
  if ((size_t)(frame->end - frame->at) < size) die("Cannot read from the builder: message %u is too short", frame->kind);
  const uint8_t *at = frame->at;
  frame->at += size;
  return at;
}

uint8_t take_u8(struct frame *frame) { return *take(frame, 1); }
uint32_t take_u32(struct frame *frame) { return load_u32(take(frame, 4)); }
uint64_t take_u64(struct frame *frame) {
  const uint8_t *at = take(frame, 8);
  return load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

const char *take_bytes(struct frame *frame, uint32_t *size) {
  *size = take_u32(frame);
  const char *text = (const char *)take(frame, (size_t)*size + 1);
  if (text[*size] != 0) die("Cannot read from the builder: message %u has an unterminated string", frame->kind);
  return text;
}

const char *take_string(struct frame *frame) {
  uint32_t size;
  const char *text = take_bytes(frame, &size);
  if (memchr(text, 0, size)) die("Cannot use \"%s…\": it holds a NUL", text);
  return text;
}

void writer_open(struct writer *writer, int fd) {
  *writer = (struct writer){.fd = fd, .capacity = 1 << 17};
  writer->data = allocate(writer->capacity);
}

static uint8_t *make_room(struct writer *writer, size_t size) {
  if (writer->used + size > writer->capacity) {
    while (writer->used + size > writer->capacity) writer->capacity *= 2;
    writer->data = reallocate(writer->data, writer->capacity);
  }
  uint8_t *at = writer->data + writer->used;
  writer->used += size;
  return at;
}

static void store_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

void begin_frame(struct writer *writer, uint8_t kind) {
  writer->frame = writer->used;
  make_room(writer, 4);
  put_u8(writer, kind);
}

void put_u8(struct writer *writer, uint8_t value) { *make_room(writer, 1) = value; }
void put_u32(struct writer *writer, uint32_t value) { store_u32(make_room(writer, 4), value); }
void put_u64(struct writer *writer, uint64_t value) {
  put_u32(writer, (uint32_t)value);
  put_u32(writer, (uint32_t)(value >> 32));
}

void put_raw(struct writer *writer, const void *data, size_t size) { memcpy(make_room(writer, size), data, size); }

void put_bytes(struct writer *writer, const void *data, uint32_t size) {
  put_u32(writer, size);
  uint8_t *at = make_room(writer, (size_t)size + 1);
  memcpy(at, data, size);
  at[size] = 0;
}

void put_string(struct writer *writer, const char *text) { put_bytes(writer, text, (uint32_t)strlen(text)); }

void end_frame(struct writer *writer) {
  store_u32(writer->data + writer->frame, (uint32_t)(writer->used - writer->frame - 5));
  if (writer->used >= 1 << 16) flush_writer(writer);
}

void flush_writer(struct writer *writer) {
  write_full(writer->fd, writer->data, writer->used);
  writer->used = 0;
}
