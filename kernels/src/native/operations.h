/* What `decode`, `project`, `walk` and `update` are: shares of rows over a pool, by the inner loops of one instruction set. */
#ifndef SAESTITCH_OPERATIONS_H
#define SAESTITCH_OPERATIONS_H

#include "../kernels.h"
#include "pool.h"

/* Codes of `rows` rows, as compressed sparse rows; neither offsets nor indices need be right. */
typedef struct {
  int rows, columns, entries;
  /* [rows + 1] */
  const int *offsets;
  /* [entries] each */
  const int *indices;
  const float *values;
} Code;

typedef enum { SUCCEEDED, NO_MEMORY, BAD_CODE } Status;

typedef struct {
  Status status;
  /* With BAD_CODE: what is wrong with which entry of which code, for people. */
  char message[128];
} Outcome;

/* out = base + sign * code * decoder; decoder [code.columns × columns], base and out [code.rows × columns] */
typedef struct {
  Code code;
  const float *decoder, *base;
  int columns;
  float sign;
  float *out;
} Decode;

/* Products of each entry's direction with its row of `residual`; out [code.entries]. */
typedef struct {
  Code code;
  const float *decoder, *residual;
  int columns;
  float *out;
} Project;

/* As Project, each entry taken out of its row before the next; from anew where the group changes. */
typedef struct {
  Code code;
  const float *decoder, *residual;
  int columns;
  /* [code.columns], or NULL */
  const int *group;
  float *out;
} Walk;

typedef struct {
  /* [rows of the weights × rows of the term] */
  Code code;
  const float *rows;
} GradientTerm;

/* A step of Adam on weights [rows × columns]; the factors are those of Kernels.adam_step. */
typedef struct {
  float *weights, *first, *second;
  int rows, columns, terms;
  const GradientTerm *gradient;
  int unit_rows;
  float keep_first, take_first, keep_second, take_second, rate, scale, epsilon;
} Update;

/* From within a running task. With a bad code or without memory, `out` holds anything, and `update` has changed nothing. */
Outcome decode(const Kernels *kernels, Pool *pool, const Decode *call);
Outcome project(const Kernels *kernels, Pool *pool, const Project *call);
Outcome walk(const Kernels *kernels, Pool *pool, const Walk *call);
Outcome update(const Kernels *kernels, Pool *pool, const Update *call);

#endif
