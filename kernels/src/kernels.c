/*
 * The inner loops of saestitch's kernels. They see only what fits in a few MiB: the callers (scan-latents.ts and
 * wasm-batches.ts in core/src/kernels) copy blocks of rows in and take results out.
 *
 * Rows are padded with zeros to a multiple of four values: `quads` counts the vectors of a row. Every number of a result is
 * the sum of the same products in the same order wherever its row stands in a block, so results do not depend on how
 * work was divided. No contraction into fused multiply-adds, no reordering: every engine gives the same bits.
 */

typedef float float4 __attribute__((vector_size(16)));
typedef int int4 __attribute__((vector_size(16)));
typedef long long long2 __attribute__((vector_size(16)));
typedef double double4 __attribute__((vector_size(32)));

#define EXPORT __attribute__((visibility("default")))

/* Rows that stay in the first-level cache while a block of latents passes by. */
enum { ROWS_IN_CACHE = 8 };

/* {Σa, Σb, Σc, Σd} */
static inline float4 sums(float4 a, float4 b, float4 c, float4 d) {
  float4 ab = __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
  float4 cd = __builtin_shufflevector(c, d, 0, 2, 4, 6) + __builtin_shufflevector(c, d, 1, 3, 5, 7);
  return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

static inline float sum(float4 a) {
  return (a[0] + a[1]) + (a[2] + a[3]);
}

/* Latents found above both of their floors, as three columns. */
typedef struct {
  int *row;
  int *latent;
  float *value;
  int count;
} Entries;

static inline void keep(Entries *entries, float4 p, float4 latent_floor, float row_floor, int row, int latent) {
  int4 over = (p > latent_floor) & (p > (float4){row_floor, row_floor, row_floor, row_floor});
  long2 any = (long2)over;
  if ((any[0] | any[1]) == 0) return;
  for (int lane = 0; lane < 4; lane++) {
    if (!over[lane]) continue;
    entries->row[entries->count] = row;
    entries->latent[entries->count] = latent + lane;
    entries->value[entries->count] = p[lane];
    entries->count++;
  }
}

/*
 * Pre-activations x · encoderᵀ + bias of a block; those strictly above the floor of their latent and the floor of their
 * row are listed, for each row by ascending latent. Returns how many.
 *
 * `rows` is even and latents come in groups of four, numbered from `first_latent`; the caller gives what is added to fill
 * up a floor of infinity.
 */
EXPORT int select_latents(const float4 *x, const float *row_floor, int rows, const float4 *encoder, const float4 *bias,
                          const float4 *latent_floor, int first_latent, int groups, int quads, int *row_out,
                          int *latent_out, float *value_out) {
  Entries entries = {row_out, latent_out, value_out, 0};
  for (int start = 0; start < rows; start += ROWS_IN_CACHE) {
    int end = start + ROWS_IN_CACHE < rows ? start + ROWS_IN_CACHE : rows;
    for (int group = 0; group < groups; group++) {
      const float4 *e0 = encoder + 4 * group * quads;
      const float4 *e1 = e0 + quads, *e2 = e1 + quads, *e3 = e2 + quads;
      for (int row = start; row < end; row += 2) {
        const float4 *x0 = x + row * quads, *x1 = x0 + quads;
        float4 a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0};
        float4 b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
        /* Eight sums in flight; unrolled further, some engines run out of registers and halve the speed. */
#pragma clang loop unroll(disable)
        for (int k = 0; k < quads; k++) {
          float4 a = x0[k], b = x1[k];
          a0 += a * e0[k];
          b0 += b * e0[k];
          a1 += a * e1[k];
          b1 += b * e1[k];
          a2 += a * e2[k];
          b2 += b * e2[k];
          a3 += a * e3[k];
          b3 += b * e3[k];
        }
        keep(&entries, sums(a0, a1, a2, a3) + bias[group], latent_floor[group], row_floor[row], row,
             first_latent + 4 * group);
        keep(&entries, sums(b0, b1, b2, b3) + bias[group], latent_floor[group], row_floor[row + 1], row + 1,
             first_latent + 4 * group);
      }
    }
  }
  return entries.count;
}

/* out[row[i]] += weight[i] * directions[slot[i]], for i in order. */
EXPORT void add_directions(float4 *out, const float4 *directions, int quads, const int *row, const int *slot,
                           const float *weight, int count) {
  for (int i = 0; i < count; i++) {
    float4 *target = out + row[i] * quads;
    const float4 *direction = directions + slot[i] * quads;
    float4 w = {weight[i], weight[i], weight[i], weight[i]};
    for (int k = 0; k < quads; k++) target[k] += w * direction[k];
  }
}

static inline float dot(const float4 *a, const float4 *b, int quads) {
  float4 even = {0}, odd = {0};
  int k = 0;
  for (; k + 1 < quads; k += 2) {
    even += a[k] * b[k];
    odd += a[k + 1] * b[k + 1];
  }
  if (k < quads) even += a[k] * b[k];
  return sum(even + odd);
}

/* product[i] = ⟨rows[row[i]], directions[slot[i]]⟩ */
EXPORT void project_directions(const float4 *rows, const float4 *directions, int quads, const int *row, const int *slot,
                               float *product, int count) {
  for (int i = 0; i < count; i++) product[i] = dot(rows + row[i] * quads, directions + slot[i] * quads, quads);
}

/*
 * For i in order: with r = start[row[i]] where fresh[i], left[row[i]] elsewhere, and v = value[i],
 * value[i] = ⟨r, directions[slot[i]]⟩ and left[row[i]] = r - v * directions[slot[i]]. `left` may be `start` itself.
 */
EXPORT void walk_directions(const float4 *start, float4 *left, const float4 *directions, int quads, const int *row,
                            const int *slot, const int *fresh, float *value, int count) {
  for (int i = 0; i < count; i++) {
    const float4 *direction = directions + slot[i] * quads;
    float4 *target = left + row[i] * quads;
    const float4 *r = fresh[i] ? start + row[i] * quads : target;
    float4 v = {value[i], value[i], value[i], value[i]};
    value[i] = dot(r, direction, quads);
    for (int k = 0; k < quads; k++) target[k] = r[k] - v * direction[k];
  }
}

static inline double sum_double(double4 a) {
  return (a[0] + a[1]) + (a[2] + a[3]);
}

/* Scale every row to length 1, the length taken in double precision; zero rows stay zero. */
EXPORT void normalise(float4 *rows, int count, int quads) {
  for (int i = 0; i < count; i++) {
    float4 *row = rows + i * quads;
    double4 squares = {0};
    for (int k = 0; k < quads; k++) {
      double4 v = __builtin_convertvector(row[k], double4);
      squares += v * v;
    }
    double total = sum_double(squares);
    if (total == 0) continue;
    double scale = 1 / __builtin_sqrt(total);
    for (int k = 0; k < quads; k++) {
      double4 v = __builtin_convertvector(row[k], double4) * scale;
      row[k] = __builtin_convertvector(v, float4);
    }
  }
}

/* Take out of each of `count` gradients what is parallel to the row it belongs to, in double precision; zero rows take nothing. */
EXPORT void remove_parallel(float4 *gradient, const float4 *rows, int count, int quads) {
  for (int i = 0; i < count; i++) {
    float4 *g = gradient + i * quads;
    const float4 *row = rows + i * quads;
    double4 products = {0}, squares = {0};
    for (int k = 0; k < quads; k++) {
      double4 v = __builtin_convertvector(row[k], double4);
      products += __builtin_convertvector(g[k], double4) * v;
      squares += v * v;
    }
    double square = sum_double(squares);
    if (square == 0) continue;
    double share = sum_double(products) / square;
    for (int k = 0; k < quads; k++) {
      double4 v = __builtin_convertvector(g[k], double4) - __builtin_convertvector(row[k], double4) * share;
      g[k] = __builtin_convertvector(v, float4);
    }
  }
}

/* Zero for what is subnormal. */
static inline float4 flush(float4 a) {
  const float4 least = {0x1p-126f, 0x1p-126f, 0x1p-126f, 0x1p-126f};
  return (float4)((int4)a & ~((a < least) & (a > -least)));
}

/*
 * A step of Adam on `quads` vectors: first = keep_first * first + take_first * gradient, second likewise with the squares of the
 * gradient, weights -= rate * first / (sqrt(second) * scale + epsilon).
 */
EXPORT void adam_step(float4 *weights, float4 *first, float4 *second, const float4 *gradient, int quads,
                      float keep_first, float take_first, float keep_second, float take_second, float rate, float scale,
                      float epsilon) {
  for (int k = 0; k < quads; k++) {
    float4 g = gradient[k];
    /* Without gradients the means fade into subnormal numbers and stay there; processors take far longer over those. */
    float4 mean = flush(keep_first * first[k] + take_first * g);
    float4 square = flush(keep_second * second[k] + take_second * g * g);
    first[k] = mean;
    second[k] = square;
    weights[k] -= rate * mean / (__builtin_elementwise_sqrt(square) * scale + epsilon);
  }
}
