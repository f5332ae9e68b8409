/*
 * The screen: products of rows packed into 16-bit values, which are fast and nearly right, and how wrong they can be.
 *
 * Rows are scaled and rounded: to integers where a processor multiplies pairs of 16-bit integers at twice the rate of float32
 * (any of them, WebAssembly too), to bfloat16 where it has tiles of those (AMX). With x' = s·x + δ and w' = t·w + ε the packed rows,
 *
 *   |⟨x', w'⟩ - s·t·⟨x, w⟩| ≤ ‖δ‖‖w'‖ + ‖x'‖‖ε‖ + ‖δ‖‖ε‖     (Cauchy-Schwarz)
 *
 * and the lengths of δ and ε are measured while packing. To that comes what float32 rounds, in parts of 2⁻²⁴ · ‖x'‖‖w'‖: less than
 * d/8 + 8 in the exact product, which is of eight sums; d in this one where it is a sum of floats; and a few in scaling, packing, adding the bias
 * and comparing. Products that are too small for float32 are within that too, since rows have lengths between 2⁻⁶⁰ and 2⁶⁰. So 2 d + 64 is enough.
 */
#ifndef SAESTITCH_SCREEN_H
#define SAESTITCH_SCREEN_H

#include "kernels.h"
#include "vectors.h"

#if defined(__AMX_BF16__)
#include <immintrin.h>
#define SCREEN_BF16
#elif defined(__x86_64__)
#include <immintrin.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* Columns that are packed at once. */
enum { CHUNK = 32 };

typedef int int8 __attribute__((vector_size(32)));
typedef unsigned unsigned8 __attribute__((vector_size(32)));
typedef unsigned short short8 __attribute__((vector_size(16)));
typedef short8 short8_at __attribute__((aligned(2), may_alias));
/* Two neighbouring columns of a packed row. */
typedef int pair_at_any __attribute__((aligned(2), may_alias));

#ifdef SCREEN_BF16
/* Packed rows have length 1. */
static const float PACKED_LENGTH = 1, LARGEST_VALUE = 2;
#else
/* The largest sums are then 1.85e9, which 32 bits hold with room for what rounding adds to the lengths. */
static const float PACKED_LENGTH = 43000, LARGEST_VALUE = 32767;
#endif

/* The most columns whose squares float32 adds up to within the thousandth that lengths are rounded up by. */
enum { MOST_COLUMNS = 1 << 16 };

/* The scale of a row. Of rows whose squares float32 cannot add up, nothing is known. */
static inline Packed packing_of(const float *row, int columns) {
  float8 squares = {0}, largest = {0};
  for (int k = 0; k < columns; k += 8) {
    float8 v = part(row + k, columns - k);
    squares += v * v;
    float8 size = (float8)((int8)v & 0x7fffffff);
    int8 larger = size > largest;
    largest = (float8)(((int8)size & larger) | ((int8)largest & ~larger));
  }
  float square = sum8(squares), most = 0;
  for (int i = 0; i < 8; i++)
    if (largest[i] > most) most = largest[i];
  if (square == 0 && most == 0) return (Packed){1, 0, 0};
  if (!(square > 0x1p-120f && square < 0x1p120f && columns <= MOST_COLUMNS))
    return (Packed){1, __builtin_inff(), __builtin_inff()};
  float scale = PACKED_LENGTH / __builtin_sqrtf(square), limit = LARGEST_VALUE / most;
  return (Packed){scale < limit ? scale : limit, 0, 0};
}

/* How far a product of packed rows may be from that of the rows, in its own units; NaN where nothing is known. */
static inline float product_error(Packed row, Packed latent, int columns) {
  float packing = row.error * (latent.length + latent.error) + row.length * latent.error;
  float rounding = (row.length + row.error) * (latent.length + latent.error) * ((2 * columns + 64) * 0x1p-24f);
  return (packing + rounding) * 1.001f;
}

#if defined(SCREEN_BF16)

enum { TILE_ROWS = PANEL, GROUPED_ROWS = PANEL, GROUPED_LATENTS = PANEL };

static inline void begin_products(void) {
  struct {
    unsigned char palette, start_row, reserved[14];
    unsigned short bytes[16];
    unsigned char rows[16];
  } __attribute__((packed)) shape = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) {
    shape.bytes[tile] = 64;
    shape.rows[tile] = 16;
  }
  _tile_loadconfig(&shape);
}

static inline void end_products(void) {
  _tile_release();
}

static inline void tile_products(const unsigned short *rows, const unsigned short *latents, int columns, int width,
                                 float products[TILE_ROWS][PANEL]) {
  (void)width;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < columns; k += CHUNK, rows += PANEL * CHUNK, latents += PANEL * CHUNK) {
    _tile_loadd(4, rows, 2 * CHUNK);
    _tile_loadd(6, latents, 4 * PANEL);
    _tile_loadd(7, latents + PANEL, 4 * PANEL);
    _tile_loadd(5, rows + PANEL / 2 * CHUNK, 2 * CHUNK);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, products[0], 4 * PANEL);
  _tile_stored(1, products[0] + 16, 4 * PANEL);
  _tile_stored(2, products[16], 4 * PANEL);
  _tile_stored(3, products[16] + 16, 4 * PANEL);
}

#else

/*
 * What differs between processors: vectors of LANES sums; multiply_pairs, which adds to each sum the products of a pair of columns;
 * and how many rows (a divisor of PANEL), with two vectors of latents, make a tile of sums that fits into the registers. Sums are named one by one
 * since compilers leave arrays of them in memory.
 */
#if defined(__AVX512VNNI__)
typedef __m512i Sums;
enum { LANES = 16, TILE_ROWS = 8 };
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
static inline Sums multiply_pairs(Sums sums, Sums a, Sums b) {
  /* Said as an instruction, since some compilers make two of it. */
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
  return sums;
}
static inline Sums load_pairs(const unsigned short *at) { return _mm512_loadu_si512(at); }
static inline Sums every_pair(int pair) { return _mm512_set1_epi32(pair); }
static inline void store_sums(float *at, Sums sums) { _mm512_storeu_ps(at, _mm512_cvtepi32_ps(sums)); }
#elif defined(__AVX2__)
typedef __m256i Sums;
enum { LANES = 8, TILE_ROWS = 4 };
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3)
static inline Sums multiply_pairs(Sums sums, Sums a, Sums b) {
  return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
}
static inline Sums load_pairs(const unsigned short *at) { return _mm256_loadu_si256((const __m256i *)at); }
static inline Sums every_pair(int pair) { return _mm256_set1_epi32(pair); }
static inline void store_sums(float *at, Sums sums) { _mm256_storeu_ps(at, _mm256_cvtepi32_ps(sums)); }
#else
/* In WebAssembly, with more than eight sums in flight some engines run out of registers. */
enum { LANES = 4, TILE_ROWS = 4 };
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3)
#if defined(__x86_64__)
typedef __m128i Sums;
static inline Sums multiply_pairs(Sums sums, Sums a, Sums b) { return _mm_add_epi32(sums, _mm_madd_epi16(a, b)); }
static inline Sums load_pairs(const unsigned short *at) { return _mm_loadu_si128((const __m128i *)at); }
static inline Sums every_pair(int pair) { return _mm_set1_epi32(pair); }
static inline void store_sums(float *at, Sums sums) { _mm_storeu_ps(at, _mm_cvtepi32_ps(sums)); }
#elif defined(__wasm_simd128__)
typedef v128_t Sums;
static inline Sums multiply_pairs(Sums sums, Sums a, Sums b) {
  return wasm_i32x4_add(sums, wasm_i32x4_dot_i16x8(a, b));
}
static inline Sums load_pairs(const unsigned short *at) { return wasm_v128_load(at); }
static inline Sums every_pair(int pair) { return wasm_i32x4_splat(pair); }
static inline void store_sums(float *at, Sums sums) { wasm_v128_store(at, wasm_f32x4_convert_i32x4(sums)); }
#elif defined(__ARM_NEON)
typedef int32x4_t Sums;
static inline Sums multiply_pairs(Sums sums, Sums a, Sums b) {
  int16x8_t a16 = vreinterpretq_s16_s32(a), b16 = vreinterpretq_s16_s32(b);
  Sums low = vmull_s16(vget_low_s16(a16), vget_low_s16(b16)), high = vmull_high_s16(a16, b16);
  return vaddq_s32(sums, vpaddq_s32(low, high));
}
static inline Sums load_pairs(const unsigned short *at) { return vreinterpretq_s32_u16(vld1q_u16(at)); }
static inline Sums every_pair(int pair) { return vdupq_n_s32(pair); }
static inline void store_sums(float *at, Sums sums) { vst1q_f32(at, vcvtq_f32_s32(sums)); }
#else
#error "The screen knows no vectors of this processor"
#endif
#endif

static inline void begin_products(void) {}

static inline void end_products(void) {}

enum { GROUPED_ROWS = TILE_ROWS, GROUPED_LATENTS = 2 * LANES };

static inline void tile_products(const unsigned short *rows, const unsigned short *latents, int columns, int width,
                                 float products[TILE_ROWS][PANEL]) {
  for (int first = 0; first < PANEL; first += GROUPED_LATENTS) {
    const pair_at_any *row = (const pair_at_any *)rows;
    const unsigned short *pairs = latents + (__SIZE_TYPE__)first * width;
#define START(i) Sums left##i = every_pair(0), right##i = left##i;
#define MULTIPLY(i)                                    \
  {                                                    \
    Sums pair = every_pair(row[i]);                    \
    left##i = multiply_pairs(left##i, pair, left);     \
    right##i = multiply_pairs(right##i, pair, right);  \
  }
#define STORE(i)                            \
  store_sums(products[i] + first, left##i); \
  store_sums(products[i] + first + LANES, right##i);
    EACH_ROW(START)
    for (int k = 0; k < columns; k += 2, row += TILE_ROWS, pairs += 2 * GROUPED_LATENTS) {
      Sums left = load_pairs(pairs), right = load_pairs(pairs + 2 * LANES);
      EACH_ROW(MULTIPLY)
    }
    EACH_ROW(STORE)
  }
}

#endif

/*
 * Where CHUNK columns of a row of a panel go: pairs of columns, `step` pairs after another. A panel holds groups of as many rows as a tile of
 * sums takes, one group after another; within it the pairs of all its rows lie side by side.
 */
static inline pair_at_any *place_of(unsigned short *panel, int width, int row, int first_column, int side, int *step) {
  int group = side == ROWS ? GROUPED_ROWS : GROUPED_LATENTS;
  unsigned short *chunk = panel + (__SIZE_TYPE__)(row / group * width + first_column) * group;
#ifdef SCREEN_BF16
  /* A tile of rows wants each row's columns together. */
  if (side == ROWS) {
    *step = 1;
    return (pair_at_any *)(chunk + row % group * CHUNK);
  }
#endif
  *step = group;
  return (pair_at_any *)chunk + row % group;
}

/* Pack a row of `columns` values as row number `row` of a panel of `width` columns. */
static inline Packed pack_row(const float *values, int columns, int width, unsigned short *panel, int row, int side) {
  Packed about = packing_of(values, columns);
  float8 lengths = {0}, errors = {0};
  for (int start = 0; start < width; start += CHUNK) {
    unsigned short chunk[CHUNK] __attribute__((aligned(64)));
    for (int k = 0; k < CHUNK; k += 8) {
      float8 v = part(values + start + k, columns - start - k);
      if (!(about.length < __builtin_inff())) v = (float8){0};
      v *= about.scale;
#ifdef SCREEN_BF16
      unsigned8 bits = (unsigned8)v;
      bits = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
      float8 rounded = (float8)(bits << 16);
#else
      /* Adding and taking away 1.5 · 2²³ rounds to integers. */
      float8 rounded = (v + 12582912.0f) - 12582912.0f;
      int8 bits = __builtin_convertvector(rounded, int8);
#endif
      *(short8_at *)(chunk + k) = __builtin_convertvector(bits, short8);
      float8 error = rounded - v;
      lengths += rounded * rounded;
      errors += error * error;
    }
    int step;
    pair_at_any *place = place_of(panel, width, row, start, side, &step);
    const pair_at_any *pairs = (const pair_at_any *)chunk;
    for (int pair = 0; pair < CHUNK / 2; pair++) place[pair * step] = pairs[pair];
  }
  /* Rounded up. */
  about.length += __builtin_sqrtf(sum8(lengths)) * 1.001f;
  about.error += __builtin_sqrtf(sum8(errors)) * 1.001f;
  return about;
}

/* One bit for each of PANEL values that is not below or at its bound, as one that is NaN is not. */
static inline unsigned not_below(const float *values, const float *bounds) {
  unsigned bits = 0;
#if defined(__AVX512F__)
  for (int i = 0; i < 2; i++) {
    __m512 value = _mm512_load_ps(values + 16 * i), bound = _mm512_load_ps(bounds + 16 * i);
    bits |= (unsigned)_mm512_cmp_ps_mask(value, bound, _CMP_NLE_UQ) << 16 * i;
  }
#elif defined(__AVX2__)
  for (int i = 0; i < 4; i++) {
    __m256 value = _mm256_load_ps(values + 8 * i), bound = _mm256_load_ps(bounds + 8 * i);
    bits |= (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(value, bound, _CMP_NLE_UQ)) << 8 * i;
  }
#elif defined(__x86_64__)
  for (int i = 0; i < 8; i++)
    bits |= (unsigned)_mm_movemask_ps(_mm_cmpnle_ps(_mm_load_ps(values + 4 * i), _mm_load_ps(bounds + 4 * i))) << 4 * i;
#elif defined(__wasm_simd128__)
  for (int i = 0; i < 8; i++) {
    v128_t below = wasm_f32x4_le(wasm_v128_load(values + 4 * i), wasm_v128_load(bounds + 4 * i));
    bits |= (unsigned)wasm_i32x4_bitmask(wasm_v128_not(below)) << 4 * i;
  }
#else
  for (int i = 0; i < PANEL; i++) bits |= (unsigned)!(values[i] <= bounds[i]) << i;
#endif
  return bits;
}

#endif
