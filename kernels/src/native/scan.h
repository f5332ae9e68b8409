/* Search all products of rows with directions for large ones: what `encode` and `match` are. */
#ifndef SAESTITCH_SCAN_H
#define SAESTITCH_SCAN_H

#include "../kernels.h"
#include "pool.h"

typedef struct {
  const float *rows;
  const float *directions;
  int row_count, direction_count, columns;
  /* [row_count]; what a product must exceed, by row */
  const float *row_floor;
  /* [direction_count] each; `floor` is never NULL */
  Latents latents;
  /* Keep so many of each row, the largest (at most direction_count); 0: all. */
  int top;
  /* Whether to scale rows and directions to length 1 first; values are then held to [-1, 1]. */
  int unit;
  /* With `top`: whether each row's entries lie by latent; else best first. */
  int by_latent;
} Scan;

/* Entries of all rows, row after row; freed by the caller with free_found. */
typedef struct {
  /* [row_count + 1] */
  int *offsets;
  int *latents;
  float *values;
} Found;

/* From within a running task. Returns 0, or -1 when there is no memory (or more than 2^31 - 1 entries); `found` is then empty. */
int scan(const Kernels *kernels, Pool *pool, const Scan *scan, Found *found);

void free_found(Found *found);

#endif
