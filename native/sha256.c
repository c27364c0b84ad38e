// SHA-256 (FIPS 180-4) four times: x86's SHA extensions, AVX2 for x86 without them, ARMv8's, and plain C.
#include "sha256.h"

#include <string.h>

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

typedef void compress_function(uint32_t state[8], const uint8_t *data, size_t blocks);

static uint32_t rotate(uint32_t value, int count) { return value >> count | value << (32 - count); }

// One round; the caller names the words in turn, so that none of them is moved.
#define ROUND(a, b, c, d, e, f, g, h, i) \
  do { \
    uint32_t one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + sums[i]; \
    d += one; \
    h = one + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b))); \
  } while (0)

__attribute__((always_inline)) static inline void do_rounds(uint32_t state[8], const uint32_t sums[64]) {
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i += 8) {
    ROUND(a, b, c, d, e, f, g, h, i);
    ROUND(h, a, b, c, d, e, f, g, i + 1);
    ROUND(g, h, a, b, c, d, e, f, i + 2);
    ROUND(f, g, h, a, b, c, d, e, i + 3);
    ROUND(e, f, g, h, a, b, c, d, i + 4);
    ROUND(d, e, f, g, h, a, b, c, i + 5);
    ROUND(c, d, e, f, g, h, a, b, i + 6);
    ROUND(b, c, d, e, f, g, h, a, i + 7);
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void compress_plain(uint32_t state[8], const uint8_t *data, size_t blocks) {
  for (; blocks > 0; blocks--, data += 64) {
    uint32_t w[64], sums[64];
    for (int i = 0; i < 64; i++) {
      if (i < 16) {
        w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 | (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
      } else {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
      }
      sums[i] = w[i] + constants[i];
    }
    do_rounds(state, sums);
  }
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

__attribute__((target("sha,sse4.1"))) static void compress_x86(uint32_t state[8], const uint8_t *data, size_t blocks) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  // The instructions want the words a b e f and c d g h together.
  __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
  for (; blocks > 0; blocks--, data += 64) {
    __m128i w[4], first = abef, second = cdgh;
    for (int i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), big_endian);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      __m128i sum = _mm_add_epi32(w[i & 3], _mm_load_si128((const __m128i *)(constants + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
      if (i >= 12) continue;
      __m128i next = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
      next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
      w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
    }
    abef = _mm_add_epi32(abef, first), cdgh = _mm_add_epi32(cdgh, second);
  }
  low = _mm_shuffle_epi32(abef, 0x1b), high = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

__attribute__((target("avx2,bmi2"))) static inline __m256i rotate_words(__m256i value, int count) {
  return _mm256_or_si256(_mm256_srli_epi32(value, count), _mm256_slli_epi32(value, 32 - count));
}

// Of two words, each of which lies twice in a half of a lane: what the schedule takes from the words two before, as words 0 and 2.
__attribute__((target("avx2,bmi2"))) static inline __m256i mix_last(__m256i doubled) {
  __m256i rotated = _mm256_xor_si256(_mm256_srli_epi64(doubled, 17), _mm256_srli_epi64(doubled, 19));
  return _mm256_xor_si256(rotated, _mm256_srli_epi32(doubled, 10));
}

// The schedules of two blocks are made side by side, one in each lane; the rounds follow one block after the other.
__attribute__((target("avx2,bmi2"))) static void compress_avx2(uint32_t state[8], const uint8_t *data, size_t blocks) {
  const __m256i big_endian = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
  const __m256i to_low = _mm256_broadcastsi128_si256(_mm_set_epi64x(-1, 0x0b0a090803020100));
  const __m256i to_high = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0b0a090803020100, -1));
  uint32_t sums[2][64] __attribute__((aligned(16)));
  while (blocks > 0) {
    const uint8_t *second = blocks > 1 ? data + 64 : data;
    __m256i w[4];
    for (int i = 0; i < 4; i++) {
      __m128i low = _mm_loadu_si128((const __m128i *)(data + 16 * i)), high = _mm_loadu_si128((const __m128i *)(second + 16 * i));
      w[i] = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), big_endian);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      __m256i sum = _mm256_add_epi32(w[i & 3], _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(constants + 4 * i))));
      _mm_store_si128((__m128i *)(sums[0] + 4 * i), _mm256_castsi256_si128(sum));
      _mm_store_si128((__m128i *)(sums[1] + 4 * i), _mm256_extracti128_si256(sum, 1));
      if (i >= 12) continue;
      __m256i before15 = _mm256_alignr_epi8(w[(i + 1) & 3], w[i & 3], 4), before7 = _mm256_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
      __m256i mixed = _mm256_xor_si256(rotate_words(before15, 7), rotate_words(before15, 18));
      __m256i next = _mm256_add_epi32(_mm256_add_epi32(w[i & 3], before7), _mm256_xor_si256(mixed, _mm256_srli_epi32(before15, 3)));
      // The third and fourth word depend on the first and second.
      next = _mm256_add_epi32(next, _mm256_shuffle_epi8(mix_last(_mm256_shuffle_epi32(w[(i + 3) & 3], 0xfa)), to_low));
      w[i & 3] = _mm256_add_epi32(next, _mm256_shuffle_epi8(mix_last(_mm256_shuffle_epi32(next, 0x50)), to_high));
    }
    do_rounds(state, sums[0]);
    if (blocks > 1) do_rounds(state, sums[1]);
    size_t done = blocks > 1 ? 2 : 1;
    blocks -= done, data += 64 * done;
  }
}

static compress_function *choose(void) {
  unsigned a, b, c, d;
  // Leaf 7: SHA extensions; leaf 1: SSSE3 and SSE4.1.
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 29 && __get_cpuid(1, &a, &b, &c, &d) && c & 1u << 9 && c & 1u << 19) return compress_x86;
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? compress_avx2 : compress_plain;
}

#elif defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>

__attribute__((target("arch=armv8-a+crypto"))) static void compress_arm(uint32_t state[8], const uint8_t *data, size_t blocks) {
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
  for (; blocks > 0; blocks--, data += 64) {
    uint32x4_t w[4], first = abcd, second = efgh;
    for (int i = 0; i < 4; i++) w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + 16 * i)));
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      uint32x4_t sum = vaddq_u32(w[i & 3], vld1q_u32(constants + 4 * i)), before = abcd;
      abcd = vsha256hq_u32(abcd, efgh, sum);
      efgh = vsha256h2q_u32(efgh, before, sum);
      if (i < 12) w[i & 3] = vsha256su1q_u32(vsha256su0q_u32(w[i & 3], w[(i + 1) & 3]), w[(i + 2) & 3], w[(i + 3) & 3]);
    }
    abcd = vaddq_u32(abcd, first), efgh = vaddq_u32(efgh, second);
  }
  vst1q_u32(state, abcd), vst1q_u32(state + 4, efgh);
}

static compress_function *choose(void) { return getauxval(AT_HWCAP) & 1 << 6 /* HWCAP_SHA2 */ ? compress_arm : compress_plain; }

#else
static compress_function *choose(void) { return compress_plain; }
#endif

static compress_function *compress;

// Before main, so before there are threads.
__attribute__((constructor)) static void choose_once(void) { compress = choose(); }

void sha256_start(struct sha256 *hash) {
  *hash = (struct sha256){
      .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
  };
}

void sha256_update(struct sha256 *hash, const void *data, size_t size) {
  const uint8_t *at = data;
  size_t used = hash->size % 64;
  hash->size += size;
  if (used > 0) {
    size_t part = 64 - used < size ? 64 - used : size;
    memcpy(hash->block + used, at, part);
    at += part, size -= part;
    if (used + part < 64) return;
    compress(hash->state, hash->block, 1);
  }
  compress(hash->state, at, size / 64);
  memcpy(hash->block, at + size / 64 * 64, size % 64);
}

void sha256_finish(struct sha256 *hash, uint8_t digest[SHA256_SIZE]) {
  uint64_t bits = hash->size * 8;
  uint8_t end[72] = {0x80};
  size_t padding = (hash->size % 64 < 56 ? 56 : 120) - hash->size % 64;
  for (int i = 0; i < 8; i++) end[padding + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_update(hash, end, padding + 8);
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}
