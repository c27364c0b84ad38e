// slipway-helper unpack ROOT FILE FORM DIGESTS: takes a layer apart for the builder, which reads headers and says what becomes of the contents that lie here.
//
// The layer is the FILE, or where that is "" comes in on descriptor 4. FORM is "gzip" or "plain". Out: what walk.h says of the tar, and at last a 'Z': u8 how the compressed
// stream ended (inflate.h), why as a string, the sha256 of the tar and the sha256 of FILE. DIGESTS is "1" where the builder has use for those of contents.
// In: all that `apply` takes, below ROOT; a 'P' is a file as 'F', with u64 place in the tar and u64 size of its content; a 'K' says with an u64 up to what place nothing is
// needed any more, as does a 'P'; a 'G' wants bytes, u64 place and u64 size, on descriptor 3, where they come in
// pieces of u32 size and bytes; a piece of none says that there are no more. Without ROOT, that is "", only the last two and the 'Z' at the end.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "frame.h"
#include "inflate.h"
#include "ring.h"
#include "sha256.h"
#include "walk.h"

int cmd_unpack(int argc, char **argv);

enum { WANTED_FD = 3, INPUT_FD = 4, HASH_STEP = 256 << 10, PIECE_SIZE = 64 << 10 };

static struct {
  int fd, is_file, is_gzip, digests;
  enum inflate_end end;
  const char *why;
  struct sha256 tar, blob;
} layer = {.fd = INPUT_FD, .why = ""};

static size_t read_input(uint8_t *to, size_t size) {
  ssize_t n;
  while ((n = read(layer.fd, to, size)) < 0 && errno == EINTR);
  // The builder has no use for the rest.
  if (n < 0 && errno == ECONNRESET) return 0;
  if (n < 0) die_errno("Cannot read a layer");
  return (size_t)n;
}

static void *fill(void *unused) {
  static const struct inflate_sink sink = {ring_reserve, ring_publish};
  if (layer.is_gzip) {
    layer.end = inflate_gzip(read_input, &sink, &layer.why);
    // Whoever sends the bytes verifies them, to their end.
    static uint8_t rest[1 << 16];
    while (layer.end == INFLATE_DONE && !layer.is_file && read_input(rest, sizeof rest) > 0);
  } else {
    for (uint64_t at = 0;;) {
      size_t room;
      uint8_t *to = ring_reserve(at, &room);
      size_t n = read_input(to, room);
      if (n == 0) break;
      ring_publish(at += n);
    }
  }
  ring_end();
  return unused;
}

static void *hash_tar(void *unused) {
  for (uint64_t at = 0, filled; (filled = ring_wait(at + HASH_STEP)) > at; ring_release(RING_HASH, at))
    for (uint64_t part; at < filled; at += part) {
      part = filled - at < HASH_STEP ? filled - at : HASH_STEP;
      sha256_update(&layer.tar, ring_at(at), part);
    }
  ring_release(RING_HASH, UINT64_MAX);
  return unused;
}

static void *hash_file(void *unused) {
  uint8_t *piece = allocate(HASH_STEP);
  for (off_t at = 0;;) {
    ssize_t n = pread(layer.fd, piece, HASH_STEP, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("Cannot read a layer");
    if (n == 0) break;
    sha256_update(&layer.blob, piece, (size_t)n);
    at += n;
  }
  free(piece);
  return unused;
}

static void start(pthread_t *thread, void *(*function)(void *)) {
  int error = pthread_create(thread, NULL, function, NULL);
  if (error) die("Cannot start a thread: %s", strerror(error));
}

static void *tell(void *unused) {
  struct writer events;
  pthread_t tar, file;
  uint8_t digest[SHA256_SIZE];
  start(&tar, hash_tar);
  if (layer.is_file) start(&file, hash_file);
  writer_open(&events, STDOUT_FILENO);
  walk_tar(&events, layer.digests);
  flush_writer(&events);
  pthread_join(tar, NULL);
  if (layer.is_file) pthread_join(file, NULL);
  begin_frame(&events, 'Z');
  put_u8(&events, (uint8_t)layer.end);
  put_string(&events, layer.why);
  sha256_finish(&layer.tar, digest);
  put_raw(&events, digest, sizeof digest);
  sha256_finish(&layer.blob, digest);
  put_raw(&events, digest, sizeof digest);
  end_frame(&events);
  flush_writer(&events);
  close(STDOUT_FILENO);
  return unused;
}

// What came before is not asked for again.
static const char *next_of_ring(uint64_t at, uint64_t left, size_t *size) {
  uint64_t wanted = left < PIECE_SIZE ? left : PIECE_SIZE, filled = ring_wait(at + wanted);
  ring_release(RING_WRITE, at);
  *size = filled < at + wanted ? (size_t)(filled > at ? filled - at : 0) : (size_t)wanted;
  return *size ? (const char *)ring_at(at) : NULL;
}

static void send_piece(const char *piece, size_t size) {
  uint8_t head[4] = {(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(size >> 24)};
  write_full(WANTED_FD, head, sizeof head);
  write_full(WANTED_FD, piece, size);
}

static void send_wanted(struct frame *frame) {
  uint64_t at = take_u64(frame), left = take_u64(frame);
  size_t size;
  for (const char *piece; left > 0 && (piece = next_of_ring(at, left, &size)); at += size, left -= size) send_piece(piece, size);
  if (left > 0) send_piece(NULL, 0);
}

int cmd_unpack(int argc, char **argv) {
  int recorded = argc > 1 && !strcmp(argv[1], "--record");
  argv += recorded;
  if (argc != 5 + recorded) die("usage: slipway-helper unpack [--record] ROOT FILE FORM DIGESTS");
  if (*argv[1]) open_root(argv[1], recorded);
  layer.is_file = *argv[2] != 0;
  if (layer.is_file && (layer.fd = open(argv[2], O_RDONLY | O_CLOEXEC)) < 0) die_errno("Cannot read \"%s\"", argv[2]);
  layer.is_gzip = !strcmp(argv[3], "gzip");
  layer.digests = !strcmp(argv[4], "1");
  sha256_start(&layer.tar);
  sha256_start(&layer.blob);
  ring_open();
  pthread_t filler, teller;
  start(&filler, fill);
  start(&teller, tell);

  struct reader reader;
  struct frame frame;
  reader_open(&reader, STDIN_FILENO);
  while (read_frame(&reader, &frame)) {
    if (frame.kind == 'K') {
      ring_release(RING_WRITE, take_u64(&frame));
    } else if (frame.kind == 'G') {
      send_wanted(&frame);
    } else if (frame.kind == 'P') {
      apply_streamed(&frame, next_of_ring);
    } else if (!apply_message(&frame)) {
      return 0;
    }
  }
  die("Cannot apply: the builder went away");
}
