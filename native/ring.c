// A ring of memory that is mapped twice, so that what goes past its end is in one piece all the same.
#include "ring.h"

#include <pthread.h>
#include <sys/mman.h>

#include "frame.h"
#include "inflate.h"

// What is given out at once, so that readers follow closely; and what a match that is being copied may spoil.
enum { GRANT = 4 * INFLATE_ROOM, SLACK = INFLATE_WINDOW + 4096 };

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t filled_some, released_some;
  uint8_t *data;
  uint64_t filled, released[RING_READERS];
  int has_ended, is_full;
} ring = {.mutex = PTHREAD_MUTEX_INITIALIZER, .filled_some = PTHREAD_COND_INITIALIZER, .released_some = PTHREAD_COND_INITIALIZER};

void ring_open(void) {
  ring.data = mmap(NULL, 2 * (size_t)RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (ring.data == MAP_FAILED) die_errno("Cannot allocate %zu bytes", 2 * (size_t)RING_SIZE);
  // A mapping of no old size is a second one of the same pages.
  void *second = mremap(ring.data, 0, RING_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, ring.data + RING_SIZE);
  if (second == MAP_FAILED) die_errno("Cannot map %d bytes twice", RING_SIZE);
}

static uint64_t slowest(void) {
  uint64_t least = ring.released[0];
  for (int i = 1; i < RING_READERS; i++)
    if (ring.released[i] < least) least = ring.released[i];
  return least;
}

uint8_t *ring_reserve(uint64_t position, size_t *room) {
  pthread_mutex_lock(&ring.mutex);
  while (position - slowest() > RING_SIZE - SLACK - GRANT) {
    ring.is_full = 1;
    pthread_cond_wait(&ring.released_some, &ring.mutex);
  }
  ring.is_full = 0;
  pthread_mutex_unlock(&ring.mutex);
  *room = GRANT;
  size_t index = position % RING_SIZE;
  return ring.data + index + (index < INFLATE_WINDOW ? RING_SIZE : 0);
}

void ring_publish(uint64_t position) {
  pthread_mutex_lock(&ring.mutex);
  ring.filled = position;
  pthread_cond_broadcast(&ring.filled_some);
  pthread_mutex_unlock(&ring.mutex);
}

void ring_end(void) {
  pthread_mutex_lock(&ring.mutex);
  ring.has_ended = 1;
  pthread_cond_broadcast(&ring.filled_some);
  pthread_mutex_unlock(&ring.mutex);
}

uint64_t ring_wait(uint64_t position) {
  pthread_mutex_lock(&ring.mutex);
  while (ring.filled < position && !ring.has_ended) pthread_cond_wait(&ring.filled_some, &ring.mutex);
  uint64_t filled = ring.filled;
  pthread_mutex_unlock(&ring.mutex);
  return filled;
}

const uint8_t *ring_at(uint64_t position) { return ring.data + position % RING_SIZE; }

void ring_release(enum ring_reader reader, uint64_t position) {
  pthread_mutex_lock(&ring.mutex);
  ring.released[reader] = position;
  if (ring.is_full) pthread_cond_signal(&ring.released_some);
  pthread_mutex_unlock(&ring.mutex);
}
