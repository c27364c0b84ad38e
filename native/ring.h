// The last megabytes of a layer's tar: one thread fills them, and others read them, each at its own pace.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { RING_SIZE = 8 << 20 };

// Who must be done with bytes before others take their place.
enum ring_reader { RING_HASH, RING_WALK, RING_WRITE, RING_READERS };

void ring_open(void);

// For the one that fills it. `reserve` waits for room; the bytes before `position` that compression may refer to lie in front of what it gives.
uint8_t *ring_reserve(uint64_t position, size_t *room);
void ring_publish(uint64_t position);
void ring_end(void);

// Waits until the bytes before `position` are there, or no more come; gives where those that are there end.
uint64_t ring_wait(uint64_t position);
// The byte of a number; as many as the ring holds follow it.
const uint8_t *ring_at(uint64_t position);
// Says that a reader is done with the bytes before `position`.
void ring_release(enum ring_reader reader, uint64_t position);
