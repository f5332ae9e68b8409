#include "code-entries.h"

#include <stdio.h>
#include <string.h>

int next_batch(Batch *batch) {
  const Code *code = batch->code;
  if (batch->entry < 0) {
    batch->entry = code->offsets[batch->row];
    if (batch->entry < 0 || batch->entry > code->entries) return -1;
  }
  const int begin = batch->entry;
  int count = 0;
  while (batch->row < batch->end_row) {
    int end = code->offsets[batch->row + 1];
    if (end < batch->entry || end > code->entries) return -1;
    int room = BATCH_ENTRIES - count, taken = end - batch->entry < room ? end - batch->entry : room;
    for (int i = 0; i < taken; i++) batch->rows[count + i] = batch->row - batch->first_row;
    count += taken;
    batch->entry += taken;
    /* What is left of this row comes with the next batch. */
    if (batch->entry < end) break;
    batch->row++;
  }
  memcpy(batch->indices, code->indices + begin, (size_t)count * sizeof(int));
  unsigned outside = 0;
  for (int i = 0; i < count; i++) outside |= (unsigned)batch->indices[i] >= (unsigned)code->columns;
  if (outside) return -1;
  batch->begin = begin;
  batch->count = count;
  return count > 0;
}

int describe_fault(const Code *code, char *message, int size) {
  int begin = code->offsets[0];
  for (int row = 0; row < code->rows; row++) {
    int end = code->offsets[row + 1];
    if (begin < 0 || end < begin || end > code->entries) {
      snprintf(message, (size_t)size, "the entries of row %d of the code go from %d to %d, of %d", row, begin, end,
               code->entries);
      return 1;
    }
    for (int entry = begin; entry < end; entry++) {
      int index = code->indices[entry];
      if (index >= 0 && index < code->columns) continue;
      snprintf(message, (size_t)size, "entry %d of the code (row %d) has index %d, wanted one from 0 to %d", entry, row,
               index, code->columns - 1);
      return 1;
    }
    begin = end;
  }
  return 0;
}
