/* The inner loops of saestitch's kernels; kernels.h says what each does. */
#include "kernels.h"

#include "screen.h"
#include "vectors.h"

#ifdef __wasm__
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT static
#endif

typedef float float4 __attribute__((vector_size(16)));
typedef double double4 __attribute__((vector_size(32)));
/* In memory, at any address. */
typedef float4 float4_at __attribute__((aligned(4), may_alias));

static inline const float *row_of(const float *rows, int row, int columns) {
  return rows + (__SIZE_TYPE__)row * columns;
}

/* The one dot product: eight running sums over the columns, the last vector filled up with zeros. */
static inline float dot(const float *a, const float *b, int columns) {
  float8 sum = {0};
  int k = 0;
  for (; k + 8 <= columns; k += 8) sum += *(const float8_at *)(a + k) * *(const float8_at *)(b + k);
  if (k < columns) sum += part(a + k, columns - k) * part(b + k, columns - k);
  return sum8(sum);
}

/*
 * Four dot products, each the same sums as alone: additions of one need not wait for those of another. Meanwhile rows that are
 * wanted next, from anywhere in memory, are asked for.
 */
static inline __attribute__((always_inline)) void four_dots(const float *a0, const float *a1, const float *a2,
                                                            const float *a3, const float *const b[4],
                                                            const float *const next[4], int columns, float *product) {
  const float *b0 = b[0], *b1 = b[1], *b2 = b[2], *b3 = b[3];
  float8 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
  int k = 0;
  for (; k + 8 <= columns; k += 8) {
    if (k % 16 == 0)
      for (int j = 0; j < 4; j++) __builtin_prefetch(next[j] + k);
    s0 += *(const float8_at *)(a0 + k) * *(const float8_at *)(b0 + k);
    s1 += *(const float8_at *)(a1 + k) * *(const float8_at *)(b1 + k);
    s2 += *(const float8_at *)(a2 + k) * *(const float8_at *)(b2 + k);
    s3 += *(const float8_at *)(a3 + k) * *(const float8_at *)(b3 + k);
  }
  if (k < columns) {
    int rest = columns - k;
    s0 += part(a0 + k, rest) * part(b0 + k, rest);
    s1 += part(a1 + k, rest) * part(b1 + k, rest);
    s2 += part(a2 + k, rest) * part(b2 + k, rest);
    s3 += part(a3 + k, rest) * part(b3 + k, rest);
  }
  product[0] = sum8(s0);
  product[1] = sum8(s1);
  product[2] = sum8(s2);
  product[3] = sum8(s3);
}

/* The products of entries `start` to `start` + 3, as far as there are so many; slots are numbered from `first_slot`. */
static inline void dots_of_entries(const float *rows, const float *directions, int columns, const int *row,
                                   const int *slot, int first_slot, int start, int count, float *products) {
  const float *a[4], *b[4], *next[4];
  for (int j = 0; j < 4; j++) {
    int i = start + j < count ? start + j : count - 1, later = i + 4 < count ? i + 4 : count - 1;
    a[j] = row_of(rows, row[i], columns);
    b[j] = row_of(directions, slot[i] - first_slot, columns);
    next[j] = row_of(directions, slot[later] - first_slot, columns);
  }
  /* Entries of one row read it once. */
  if (a[0] == a[1] && a[0] == a[2] && a[0] == a[3]) four_dots(a[0], a[0], a[0], a[0], b, next, columns, products);
  else four_dots(a[0], a[1], a[2], a[3], b, next, columns, products);
}

EXPORT void project_directions(const float *rows, const float *directions, int columns, const int *row, const int *slot,
                               float *product, int count) {
  for (int start = 0; start < count; start += 4) {
    float products[4];
    dots_of_entries(rows, directions, columns, row, slot, 0, start, count, products);
    for (int i = start; i < start + 4 && i < count; i++) product[i] = products[i - start];
  }
}

/* target = from + weight * direction */
static inline void add_direction(float *target, const float *from, float weight, const float *direction, int columns) {
  float8 w = {weight, weight, weight, weight, weight, weight, weight, weight};
  int k = 0;
  for (; k + 8 <= columns; k += 8)
    *(float8_at *)(target + k) = *(const float8_at *)(from + k) + w * *(const float8_at *)(direction + k);
  for (; k < columns; k++) target[k] = from[k] + weight * direction[k];
}

/* As four times add_direction, one after another, but the target is read and written once. */
static inline void add_four_directions(float *target, const float weight[4], const float *const direction[4],
                                       const float *const next[4], int columns) {
  const float *d0 = direction[0], *d1 = direction[1], *d2 = direction[2], *d3 = direction[3];
  float w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];
  int k = 0;
  for (; k + 16 <= columns; k += 16) {
    for (int j = 0; j < 4; j++) __builtin_prefetch(next[j] + k);
    for (int half = k; half < k + 16; half += 8) {
      float8 sum = *(const float8_at *)(target + half);
      sum += w0 * *(const float8_at *)(d0 + half);
      sum += w1 * *(const float8_at *)(d1 + half);
      sum += w2 * *(const float8_at *)(d2 + half);
      sum += w3 * *(const float8_at *)(d3 + half);
      *(float8_at *)(target + half) = sum;
    }
  }
  for (; k < columns; k++) target[k] = (((target[k] + w0 * d0[k]) + w1 * d1[k]) + w2 * d2[k]) + w3 * d3[k];
}

EXPORT void add_directions(float *out, const float *directions, int columns, const int *row, const int *slot,
                           const float *weight, float sign, int count) {
  for (int i = 0; i < count; i++) {
    float *target = (float *)row_of(out, row[i], columns);
    if (i + 3 < count && row[i] == row[i + 1] && row[i] == row[i + 2] && row[i] == row[i + 3]) {
      float weights[4];
      const float *four[4], *next[4];
      for (int j = 0; j < 4; j++) {
        weights[j] = sign * weight[i + j];
        four[j] = row_of(directions, slot[i + j], columns);
        next[j] = row_of(directions, slot[i + j + 4 < count ? i + j + 4 : count - 1], columns);
      }
      add_four_directions(target, weights, four, next, columns);
      i += 3;
    } else {
      add_direction(target, target, sign * weight[i], row_of(directions, slot[i], columns), columns);
    }
  }
}

EXPORT void walk_directions(const float *start, float *left, const float *directions, int columns, const int *row,
                            const int *slot, const int *fresh, float *value, int count) {
  for (int i = 0; i < count; i++) {
    const float *direction = row_of(directions, slot[i], columns);
    float *target = (float *)row_of(left, row[i], columns);
    const float *r = fresh[i] ? row_of(start, row[i], columns) : target;
    float activation = value[i];
    value[i] = dot(r, direction, columns);
    add_direction(target, r, -activation, direction, columns);
  }
}

/* Four values in double precision, beyond `columns` zero. */
static inline double4 doubles(const float *values, int columns) {
  if (columns >= 4) return __builtin_convertvector(*(const float4_at *)values, double4);
  double4 v = {0};
  for (int i = 0; i < columns; i++) v[i] = values[i];
  return v;
}

/* A dot product in double precision, of eight sums. */
static inline double exact_dot(const float *a, const float *b, int columns) {
  double4 low = {0}, high = {0};
  for (int k = 0; k < columns; k += 8) {
    low += doubles(a + k, columns - k) * doubles(b + k, columns - k);
    high += doubles(a + k + 4, columns - k - 4) * doubles(b + k + 4, columns - k - 4);
  }
  double4 sum = low + high;
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

EXPORT void normalise(float *rows, int count, int columns) {
  for (int i = 0; i < count; i++) {
    float *row = (float *)row_of(rows, i, columns);
    double square = exact_dot(row, row, columns);
    if (square == 0) continue;
    double scale = 1 / __builtin_sqrt(square);
    for (int k = 0; k < columns; k++) row[k] = (float)(row[k] * scale);
  }
}

EXPORT void remove_parallel(float *gradient, const float *rows, int count, int columns) {
  for (int i = 0; i < count; i++) {
    float *restrict g = (float *)row_of(gradient, i, columns);
    const float *restrict row = row_of(rows, i, columns);
    double square = exact_dot(row, row, columns);
    if (square == 0) continue;
    double share = exact_dot(g, row, columns) / square;
    for (int k = 0; k < columns; k++) g[k] = (float)(g[k] - row[k] * share);
  }
}

/* Zero for what is subnormal. */
static inline float flush(float a) {
  return __builtin_fabsf(a) < 0x1p-126f ? 0 : a;
}

EXPORT void adam_step(float *restrict weights, float *restrict first, float *restrict second,
                      const float *restrict gradient, int count, float keep_first, float take_first, float keep_second,
                      float take_second, float rate, float scale, float epsilon) {
  for (int k = 0; k < count; k++) {
    float g = gradient[k];
    /* Without gradients the means fade into subnormal numbers and stay there; processors take far longer over those. */
    float mean = flush(keep_first * first[k] + take_first * g);
    float square = flush(keep_second * second[k] + take_second * g * g);
    first[k] = mean;
    second[k] = square;
    weights[k] -= rate * mean / (__builtin_sqrtf(square) * scale + epsilon);
  }
}

EXPORT int packed_columns(int columns) {
  return (columns + CHUNK - 1) / CHUNK * CHUNK;
}

EXPORT void pack(const float *rows, int count, int columns, int side, unsigned short *panel, Packed *about) {
  for (int row = 0; row < PANEL; row++) {
    const float *values = row_of(rows, row, columns);
    about[row] = pack_row(values, row < count ? columns : 0, packed_columns(columns), panel, row, side);
  }
}

EXPORT int screen(const unsigned short *packed_rows, const Packed *about_rows, const float *row_floor, int rows,
                  const unsigned short *packed_latents, const Packed *about_latents, const Latents *latents,
                  int first_latent, int count, int columns, const Entries *candidates) {
  float floor[PANEL], bias[PANEL], scale[PANEL];
  Packed worst = {0};
  for (int latent = 0; latent < PANEL; latent++) {
    floor[latent] = latent < count ? latents->floor[latent] : __builtin_inff();
    bias[latent] = latent < count ? latents->bias[latent] : 0;
    scale[latent] = about_latents[latent].scale;
    if (about_latents[latent].length > worst.length) worst.length = about_latents[latent].length;
    if (about_latents[latent].error > worst.error) worst.error = about_latents[latent].error;
  }
  unsigned present = count < PANEL ? (1u << count) - 1 : ~0u;
  int width = packed_columns(columns), found = 0;
  begin_products();
  for (int start = 0; start < rows; start += TILE_ROWS) {
    float products[TILE_ROWS][PANEL] __attribute__((aligned(64)));
    tile_products(packed_rows + (__SIZE_TYPE__)start * width, packed_latents, columns, width, products);
    int end = start + TILE_ROWS < rows ? start + TILE_ROWS : rows;
    for (int row = start; row < end; row++) {
      float bound[PANEL] __attribute__((aligned(64)));
      float error = product_error(about_rows[row], worst, columns);
      float above = row_floor[row], units = about_rows[row].scale;
      for (int latent = 0; latent < PANEL; latent++) {
        float least = above > floor[latent] ? above : floor[latent];
        bound[latent] = (least - bias[latent]) * scale[latent] * units - error;
      }
      for (unsigned open = not_below(products[row - start], bound) & present; open != 0; open &= open - 1) {
        candidates->row[found] = row;
        candidates->latent[found] = first_latent + __builtin_ctz(open);
        found++;
      }
    }
  }
  end_products();
  return found;
}

EXPORT int score(const float *rows, const float *directions, int columns, const float *row_floor, const Latents *latents,
                 float limit, int first_latent, const Entries *candidates, int count) {
  const Entries in = *candidates;
  int kept = 0;
  for (int start = 0; start < count; start += 4) {
    int size = count - start < 4 ? count - start : 4;
    float products[4];
    dots_of_entries(rows, directions, columns, in.row, in.latent, first_latent, start, count, products);
    for (int j = 0; j < size; j++) {
      int row = in.row[start + j], latent = in.latent[start + j], at = latent - first_latent;
      float value = products[j] + latents->bias[at];
      if (value > limit) value = limit;
      if (value < -limit) value = -limit;
      if (!(value > latents->floor[at] && value > row_floor[row])) continue;
      if (latents->scale) {
        value = (float)((double)value * latents->scale[at] + latents->offset[at]);
        if (!(value > 0)) continue;
      }
      in.row[kept] = row;
      in.latent[kept] = latent;
      in.value[kept] = value;
      kept++;
    }
  }
  return kept;
}

typedef struct {
  int latent;
  float value;
} Kept;

/* Whether a leaves a heap before b. */
static inline int leaves(Kept a, Kept b, int by_latent) {
  if (by_latent || a.value == b.value) return a.latent > b.latent;
  return a.value < b.value;
}

/* Put an entry where it belongs on the way down from the free place. */
static void sink(int *latent, float *value, int size, int free, Kept entry, int by_latent) {
  for (int child; (child = 2 * free + 1) < size; free = child) {
    Kept next = {latent[child], value[child]};
    if (child + 1 < size) {
      Kept right = {latent[child + 1], value[child + 1]};
      if (leaves(right, next, by_latent)) {
        next = right;
        child++;
      }
    }
    if (leaves(entry, next, by_latent)) break;
    latent[free] = next.latent;
    value[free] = next.value;
  }
  latent[free] = entry.latent;
  value[free] = entry.value;
}

EXPORT void offer(const Tops *tops, float *row_floor, const Entries *entries, int count) {
  int capacity = tops->capacity;
  for (int i = 0; i < count; i++) {
    int row = entries->row[i];
    int *latent = tops->latent + (__SIZE_TYPE__)row * capacity;
    float *value = tops->value + (__SIZE_TYPE__)row * capacity;
    Kept entry = {entries->latent[i], entries->value[i]};
    int size = tops->size[row];
    if (size < capacity) {
      int free = tops->size[row]++;
      for (int parent; free > 0; free = parent) {
        parent = (free - 1) / 2;
        Kept above = {latent[parent], value[parent]};
        if (!leaves(entry, above, 0)) break;
        latent[free] = above.latent;
        value[free] = above.value;
      }
      latent[free] = entry.latent;
      value[free] = entry.value;
    } else if (entry.value > value[0]) {
      sink(latent, value, size, 0, entry, 0);
    }
    if (tops->size[row] == capacity) row_floor[row] = value[0];
  }
}

EXPORT void order(const Tops *tops, int rows, int by_latent) {
  for (int row = 0; row < rows; row++) {
    int *latent = tops->latent + (__SIZE_TYPE__)row * tops->capacity;
    float *value = tops->value + (__SIZE_TYPE__)row * tops->capacity;
    int size = tops->size[row];
    if (by_latent)
      for (int place = size / 2 - 1; place >= 0; place--)
        sink(latent, value, size, place, (Kept){latent[place], value[place]}, 1);
    for (int last = size - 1; last > 0; last--) {
      Kept entry = {latent[last], value[last]};
      latent[last] = latent[0];
      value[last] = value[0];
      sink(latent, value, last, 0, entry, by_latent);
    }
  }
}

#ifdef KERNELS_NAME
const Kernels KERNELS_NAME = {
    .packed_columns = packed_columns,
    .pack = pack,
    .screen = screen,
    .score = score,
    .offer = offer,
    .order = order,
    .add_directions = add_directions,
    .project_directions = project_directions,
    .walk_directions = walk_directions,
    .normalise = normalise,
    .remove_parallel = remove_parallel,
    .adam_step = adam_step,
};
#endif
