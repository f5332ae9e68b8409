/* Eight float32 values at once, as compilers' vectors: each processor takes them in as many registers as it needs. */
#ifndef SAESTITCH_VECTORS_H
#define SAESTITCH_VECTORS_H

typedef float float8 __attribute__((vector_size(32)));
/* The same in memory, at any address. */
typedef float8 float8_at __attribute__((aligned(4), may_alias));

/* Eight values, of which only the first `count` (if fewer) are there; the others are zero. */
static inline float8 part(const float *values, int count) {
  if (count >= 8) return *(const float8_at *)values;
  float8 v = {0};
  for (int i = 0; i < count; i++) v[i] = values[i];
  return v;
}

static inline float sum8(float8 v) {
  float q0 = v[0] + v[4], q1 = v[1] + v[5], q2 = v[2] + v[6], q3 = v[3] + v[7];
  return (q0 + q1) + (q2 + q3);
}

#endif
