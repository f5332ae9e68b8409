/*
 * What every build of the kernels offers: WebAssembly exports these functions, a native build one table of them for each
 * instruction set. kernels.c holds them; they know neither threads nor files, and allocate nothing.
 *
 * Matrices are rows of `columns` float32 values without gaps, at any address. A dot product is always the sum that `dot` in
 * kernels.c makes, and nothing is contracted into fused multiply-adds or reordered: every build gives the same bits.
 */
#ifndef SAESTITCH_KERNELS_H
#define SAESTITCH_KERNELS_H

/* Rows, or latents, that lie side by side in a panel of packed values. */
enum { PANEL = 32 };

/* On which side of the products a panel stands. */
enum { ROWS, LATENTS };

/*
 * What is known of a row besides its packed 16-bit values: packed ≈ scale · row, with length(packed) ≤ length and
 * length(packed - scale · row) ≤ error. Both are infinite for a row that cannot be packed (NaN, infinite, far too large or small).
 */
typedef struct {
  float scale, length, error;
} Packed;

/* Row numbers and latents of what was found, and its values, as three columns. */
typedef struct {
  int *row;
  int *latent;
  float *value;
} Entries;

/* What a pre-activation of a latent must exceed, and what becomes of it; each column begins with the first latent of a call. */
typedef struct {
  const float *floor;
  /* added to the product */
  const float *bias;
  /* activation = scale · pre-activation + offset, kept where positive; both NULL, or neither */
  const float *scale, *offset;
} Latents;

/* The `capacity` best latents of each row, `size` of them so far: heaps with the worst on top. */
typedef struct {
  int capacity;
  int *size;
  int *latent;
  float *value;
} Tops;

typedef struct {
  /* 16-bit values that a packed row of so many columns takes; a multiple of 32. */
  int (*packed_columns)(int columns);

  /* Pack `count` rows, at most PANEL, into a panel [PANEL × packed_columns] for a side; what is missing is zero. `about`: [PANEL]. */
  void (*pack)(const float *rows, int count, int columns, int side, unsigned short *panel, Packed *about);

  /*
   * List every (row, latent) of `rows` rows, packed into panels, and the `count` latents of a panel whose pre-activation may exceed both
   * the floor of its row and of its latent: none that does is left out, some that do not are let in. Rows are numbered
   * from 0, latents from `first_latent`; for each row they ascend. Returns how many; at most rows · count. `value` is not written.
   */
  int (*screen)(const unsigned short *packed_rows, const Packed *about_rows, const float *row_floor, int rows,
                const unsigned short *packed_latents, const Packed *about_latents, const Latents *latents,
                int first_latent, int count, int columns, const Entries *candidates);

  /*
   * Compute the candidates exactly, hold them to [-limit, limit], and keep, in place and in order, those above both floors (and, with
   * scale and offset, whose activation is positive). `directions` and the columns of `latents` begin with latent `first_latent`. Returns how many.
   */
  int (*score)(const float *rows, const float *directions, int columns, const float *row_floor, const Latents *latents,
               float limit, int first_latent, const Entries *candidates, int count);

  /*
   * Offer entries, for each row by ascending latent (over all calls), to the best of their rows; equal values go to the lower
   * latent. `row_floor` of a row that has no room becomes its worst value.
   */
  void (*offer)(const Tops *tops, float *row_floor, const Entries *entries, int count);

  /* Order what was kept of each of `rows` rows: best first, or by latent. */
  void (*order)(const Tops *tops, int rows, int by_latent);

  /* out[row[i]] += sign * weight[i] * directions[slot[i]], for i in order. */
  void (*add_directions)(float *out, const float *directions, int columns, const int *row, const int *slot,
                         const float *weight, float sign, int count);

  /* product[i] = ⟨rows[row[i]], directions[slot[i]]⟩ */
  void (*project_directions)(const float *rows, const float *directions, int columns, const int *row, const int *slot,
                             float *product, int count);

  /*
   * For i in order: with r = start[row[i]] where fresh[i], left[row[i]] elsewhere, and v = value[i],
   * value[i] = ⟨r, directions[slot[i]]⟩ and left[row[i]] = r - v * directions[slot[i]]. `left` may be `start` itself.
   */
  void (*walk_directions)(const float *start, float *left, const float *directions, int columns, const int *row,
                          const int *slot, const int *fresh, float *value, int count);

  /* Scale every row to length 1, the length taken in double precision; zero rows stay zero. */
  void (*normalise)(float *rows, int count, int columns);

  /* Take out of each of `count` gradients what is parallel to the row it belongs to, in double precision; zero rows take nothing. */
  void (*remove_parallel)(float *gradient, const float *rows, int count, int columns);

  /*
   * A step of Adam on `count` values: first = keep_first * first + take_first * gradient, second likewise with the squares of the
   * gradient, weights -= rate * first / (sqrt(second) * scale + epsilon).
   */
  void (*adam_step)(float *weights, float *first, float *second, const float *gradient, int count, float keep_first,
                    float take_first, float keep_second, float take_second, float rate, float scale, float epsilon);
} Kernels;

#endif
