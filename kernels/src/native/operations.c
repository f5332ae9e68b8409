#include "operations.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "code-entries.h"

/* Values of the rows that a thread takes at once: what is added up in them stays in the second-level cache. */
enum { SHARE_VALUES = 1 << 15, MOST_SHARE_ROWS = 512 };

/* One call on its way through the pool. */
typedef struct {
  const Kernels *kernels;
  const void *call;
  int rows, columns, share_rows;
  /* [threads] */
  Batch *batches;
  /* [threads × scratch_values] */
  float *scratch;
  size_t scratch_values;
  /* One in which something lies outside of its bounds, if any. */
  _Atomic(const Code *) bad;
} Shares;

/* The rows of share i. */
typedef struct {
  int start, end;
} Rows;

static Rows rows_of(const Shares *shares, int i) {
  int start = i * shares->share_rows;
  int end = shares->rows - start < shares->share_rows ? shares->rows : start + shares->share_rows;
  return (Rows){start, end};
}

static float *scratch_of(const Shares *shares, int thread) {
  return shares->scratch + (size_t)thread * shares->scratch_values;
}

/* Element of a matrix whose rows may be more than 2^31 values. */
static size_t at(int row, int columns) {
  return (size_t)row * (size_t)columns;
}

static Batch *begin_batches(const Shares *shares, const Code *code, Rows rows, int thread) {
  Batch *batch = &shares->batches[thread];
  batch->code = code;
  batch->first_row = batch->row = rows.start;
  batch->end_row = rows.end;
  batch->entry = -1;
  return batch;
}

/* The next batch of a share; 0 at its end, and where the code is bad. */
static int take_batch(Shares *shares, Batch *batch) {
  int more = next_batch(batch);
  if (more < 0) atomic_store(&shares->bad, batch->code);
  return more > 0;
}

/* Rows that a thread takes at once. */
static int share_rows(int columns) {
  int fitting = SHARE_VALUES / (columns > 0 ? columns : 1);
  return fitting < 1 ? 1 : fitting > MOST_SHARE_ROWS ? MOST_SHARE_ROWS : fitting;
}

/* With `scratch_rows` rows of scratch for each thread. Returns -1 without memory. */
static int open_shares(Shares *shares, const Kernels *kernels, Pool *pool, const void *call, int rows, int columns,
                       int scratch_rows) {
  size_t threads = (size_t)pool_threads(pool);
  *shares = (Shares){.kernels = kernels, .call = call, .rows = rows, .columns = columns};
  shares->share_rows = share_rows(columns);
  /* Threads write to scratch of their own, never to one cache line. */
  shares->scratch_values = at(scratch_rows, columns) + 32;
  shares->batches = malloc(threads * sizeof(Batch));
  shares->scratch = malloc(threads * shares->scratch_values * sizeof(float));
  if (shares->batches != NULL && shares->scratch != NULL) return 0;
  free(shares->batches);
  free(shares->scratch);
  return -1;
}

static void run_shares(Shares *shares, Pool *pool, void (*share)(void *shares, int i, int thread)) {
  int count = shares->rows / shares->share_rows + (shares->rows % shares->share_rows > 0);
  pool_share(pool, count, share, shares);
}

/* Free what the shares needed, and say what came of the call. */
static Outcome close_shares(Shares *shares) {
  free(shares->batches);
  free(shares->scratch);
  Outcome outcome = {SUCCEEDED, ""};
  const Code *bad = atomic_load(&shares->bad);
  if (bad == NULL) return outcome;
  outcome.status = BAD_CODE;
  if (!describe_fault(bad, outcome.message, sizeof outcome.message))
    snprintf(outcome.message, sizeof outcome.message, "the code was changed while it was read");
  return outcome;
}

/*
 * Ask for large pages under memory that is about to be written for the first time: the system then clears it in hundreds of times fewer
 * steps. Advice only; where there is no such thing nothing happens.
 */
static void expect_writes(float *out, size_t count) {
#ifdef MADV_HUGEPAGE
  enum { LEAST_BYTES = 32 << 20, PAGE_BYTES = 4096 };
  if (count * sizeof(float) < LEAST_BYTES) return;
  uintptr_t start = ((uintptr_t)out + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  uintptr_t end = (uintptr_t)(out + count) / PAGE_BYTES * PAGE_BYTES;
  madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
  (void)out;
  (void)count;
#endif
}

static const Outcome no_memory = {NO_MEMORY, ""};

static void decode_share(void *context, int i, int thread) {
  Shares *shares = context;
  const Decode *call = shares->call;
  Rows rows = rows_of(shares, i);
  float *out = call->out + at(rows.start, call->columns);
  memcpy(out, call->base + at(rows.start, call->columns), at(rows.end - rows.start, call->columns) * sizeof(float));
  Batch *batch = begin_batches(shares, &call->code, rows, thread);
  while (take_batch(shares, batch))
    shares->kernels->add_directions(out, call->decoder, call->columns, batch->rows, batch->indices,
                                    call->code.values + batch->begin, call->sign, batch->count);
}

Outcome decode(const Kernels *kernels, Pool *pool, const Decode *call) {
  Shares shares;
  expect_writes(call->out, at(call->code.rows, call->columns));
  if (open_shares(&shares, kernels, pool, call, call->code.rows, call->columns, 0) != 0) return no_memory;
  run_shares(&shares, pool, decode_share);
  return close_shares(&shares);
}

static void project_share(void *context, int i, int thread) {
  Shares *shares = context;
  const Project *call = shares->call;
  Rows rows = rows_of(shares, i);
  const float *residual = call->residual + at(rows.start, call->columns);
  Batch *batch = begin_batches(shares, &call->code, rows, thread);
  while (take_batch(shares, batch))
    shares->kernels->project_directions(residual, call->decoder, call->columns, batch->rows, batch->indices,
                                        call->out + batch->begin, batch->count);
}

Outcome project(const Kernels *kernels, Pool *pool, const Project *call) {
  Shares shares;
  if (open_shares(&shares, kernels, pool, call, call->code.rows, call->columns, 0) != 0) return no_memory;
  run_shares(&shares, pool, project_share);
  return close_shares(&shares);
}

static void walk_share(void *context, int i, int thread) {
  Shares *shares = context;
  const Walk *call = shares->call;
  Rows rows = rows_of(shares, i);
  const float *residual = call->residual + at(rows.start, call->columns);
  /* Walks of a row are over before those of the next one begin, but each row has a place of its own to be walked in. */
  float *left = scratch_of(shares, thread);
  int fresh[BATCH_ENTRIES], row_before = -1, group_before = 0;
  Batch *batch = begin_batches(shares, &call->code, rows, thread);
  while (take_batch(shares, batch)) {
    for (int entry = 0; entry < batch->count; entry++) {
      int row = batch->rows[entry], group = call->group == NULL ? 0 : call->group[batch->indices[entry]];
      fresh[entry] = row != row_before || group != group_before;
      row_before = row;
      group_before = group;
    }
    float *out = call->out + batch->begin;
    memcpy(out, call->code.values + batch->begin, (size_t)batch->count * sizeof(float));
    shares->kernels->walk_directions(residual, left, call->decoder, call->columns, batch->rows, batch->indices, fresh,
                                     out, batch->count);
  }
}

Outcome walk(const Kernels *kernels, Pool *pool, const Walk *call) {
  Shares shares;
  if (open_shares(&shares, kernels, pool, call, call->code.rows, call->columns, share_rows(call->columns)) != 0)
    return no_memory;
  run_shares(&shares, pool, walk_share);
  return close_shares(&shares);
}

static void check_share(void *context, int i, int thread) {
  Shares *shares = context;
  const Update *call = shares->call;
  for (int term = 0; term < call->terms; term++) {
    Batch *batch = begin_batches(shares, &call->gradient[term].code, rows_of(shares, i), thread);
    while (take_batch(shares, batch));
  }
}

static void update_share(void *context, int i, int thread) {
  Shares *shares = context;
  const Update *call = shares->call;
  const Kernels *kernels = shares->kernels;
  const int columns = call->columns;
  Rows rows = rows_of(shares, i);
  int count = rows.end - rows.start;
  size_t values = at(count, columns);
  float *gradient = scratch_of(shares, thread);
  memset(gradient, 0, values * sizeof(float));
  for (int term = 0; term < call->terms; term++) {
    const GradientTerm *from = &call->gradient[term];
    Batch *batch = begin_batches(shares, &from->code, rows, thread);
    while (take_batch(shares, batch))
      kernels->add_directions(gradient, from->rows, columns, batch->rows, batch->indices,
                              from->code.values + batch->begin, 1, batch->count);
  }
  float *weights = call->weights + at(rows.start, columns);
  if (call->unit_rows) kernels->remove_parallel(gradient, weights, count, columns);
  kernels->adam_step(weights, call->first + at(rows.start, columns), call->second + at(rows.start, columns), gradient,
                     (int)values, call->keep_first, call->take_first, call->keep_second, call->take_second, call->rate,
                     call->scale, call->epsilon);
  if (call->unit_rows) kernels->normalise(weights, count, columns);
}

Outcome update(const Kernels *kernels, Pool *pool, const Update *call) {
  Shares shares;
  if (open_shares(&shares, kernels, pool, call, call->rows, call->columns, share_rows(call->columns)) != 0)
    return no_memory;
  run_shares(&shares, pool, check_share);
  if (atomic_load(&shares.bad) == NULL) run_shares(&shares, pool, update_share);
  return close_shares(&shares);
}
