/* The entries of a code that a stranger made, copied out in checked batches. */
#ifndef SAESTITCH_CODE_ENTRIES_H
#define SAESTITCH_CODE_ENTRIES_H

#include "operations.h"

/* Entries of a batch; its numbers stay in the first-level cache. */
enum { BATCH_ENTRIES = 1024 };

/* Some of the entries of rows `first_row` up to `end_row`; begin with `row = first_row`, `entry = -1`. */
typedef struct {
  const Code *code;
  int first_row, end_row;
  /* Where the next batch begins. */
  int row, entry;
  /* The batch: entries `begin` to `begin + count`, their rows (from `first_row`) and their indices. */
  int begin, count;
  int rows[BATCH_ENTRIES], indices[BATCH_ENTRIES];
} Batch;

/*
 * Fill the next batch. Returns 0 when there are no more entries, -1 when an offset or an index lies outside of its bounds.
 * Each number is read once, so that what was checked is what is used.
 */
int next_batch(Batch *batch);

/* What is wrong with a code, if anything: its first fault. Returns whether there is one. */
int describe_fault(const Code *code, char *message, int size);

#endif
