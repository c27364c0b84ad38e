// SHA-256 with the processor's own instructions where it has them.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

struct sha256 {
  uint32_t state[8];
  uint64_t size;
  uint8_t block[64];
};

void sha256_start(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
void sha256_finish(struct sha256 *hash, uint8_t digest[SHA256_SIZE]);
