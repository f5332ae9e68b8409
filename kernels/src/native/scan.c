/*
 * Rows are taken in chunks and directions in slabs, so that what is packed of either stays within a few MiB. Each slab is packed
 * once for all rows of a chunk, by all threads; then each thread takes shares of the rows through the whole slab, panel by
 * panel. Candidates gather until there are enough of them to be worth scoring.
 */
#include "scan.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  CHUNK_BYTES = 16 << 20,
  SLAB_BYTES = 16 << 20,
  /* Packed rows of a share: they stay in the second-level cache while panels of latents pass by. */
  SHARE_BYTES = 768 << 10,
  SHARES_PER_THREAD = 2,
  GATHERED = 4096,
};

/* What a share of rows has kept so far, rows numbered within the share. */
typedef struct {
  Entries entries;
  int count, capacity;
} Kept;

typedef struct {
  const Kernels *kernels;
  const Scan *scan;
  int packed_columns;

  /* The chunk: rows from first_row on. */
  int chunk_rows, first_row, rows, share_rows;
  unsigned short *packed_rows;
  Packed *about_rows;
  float *row_floor;
  /* with `unit`, scaled rows of the chunk */
  float *unit_rows;
  Tops tops;
  Kept *kept;
  /* [chunk_rows + 1]; entries before each row of the chunk */
  int *row_starts;

  /* The slab: latents from first_latent on. */
  int slab_panels, first_latent, latents;
  unsigned short *panels;
  Packed *about_latents;
  /* with `unit`, scaled directions of the slab */
  float *unit_directions;

  /* By thread: room for candidates. */
  int candidate_room;
  Entries *candidates;

  Found *found;
  int failed;
} State;

static int least(int a, int b) {
  return a < b ? a : b;
}

static int ceil_divide(int a, int b) {
  return a / b + (a % b != 0);
}

/* At least one byte, so that NULL always is a failure. */
static void *room(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return NULL;
  void *memory = NULL;
  return posix_memalign(&memory, 64, count * size + 1) == 0 ? memory : NULL;
}

static int make_entries(Entries *entries, int count) {
  entries->row = room(count, sizeof(int));
  entries->latent = room(count, sizeof(int));
  entries->value = room(count, sizeof(float));
  return entries->row && entries->latent && entries->value;
}

static void free_entries(Entries *entries) {
  free(entries->row);
  free(entries->latent);
  free(entries->value);
}

static const float *chunk_row(const State *s, int row) {
  if (s->scan->unit) return s->unit_rows + (size_t)row * s->scan->columns;
  return s->scan->rows + (size_t)(s->first_row + row) * s->scan->columns;
}

static const float *slab_direction(const State *s, int latent) {
  if (s->scan->unit) return s->unit_directions + (size_t)latent * s->scan->columns;
  return s->scan->directions + (size_t)(s->first_latent + latent) * s->scan->columns;
}

static Latents latents_from(const Latents *all, int first) {
  Latents rest = *all;
  rest.floor += first;
  rest.bias += first;
  if (rest.scale) {
    rest.scale += first;
    rest.offset += first;
  }
  return rest;
}

static void unit_copy(const State *s, float *copy, const float *rows, int count) {
  memcpy(copy, rows, sizeof(float) * count * s->scan->columns);
  s->kernels->normalise(copy, count, s->scan->columns);
}

static void pack_rows(void *context, int panel, int thread) {
  (void)thread;
  State *s = context;
  int start = panel * PANEL, count = least(PANEL, s->rows - start), columns = s->scan->columns;
  if (s->scan->unit)
    unit_copy(s, s->unit_rows + (size_t)start * columns, s->scan->rows + (size_t)(s->first_row + start) * columns, count);
  s->kernels->pack(chunk_row(s, start), count, columns, ROWS, s->packed_rows + (size_t)start * s->packed_columns,
                   s->about_rows + start);
}

static void pack_directions(void *context, int panel, int thread) {
  (void)thread;
  State *s = context;
  int start = panel * PANEL, count = least(PANEL, s->latents - start), columns = s->scan->columns;
  if (s->scan->unit)
    unit_copy(s, s->unit_directions + (size_t)start * columns,
              s->scan->directions + (size_t)(s->first_latent + start) * columns, count);
  s->kernels->pack(slab_direction(s, start), count, columns, LATENTS, s->panels + (size_t)start * s->packed_columns,
                   s->about_latents + start);
}

/* Add entries to what a share has kept. Returns whether there was memory. */
static int keep(Kept *kept, const Entries *entries, int count) {
  if (count > INT_MAX - kept->count) return 0;
  if (kept->count + count > kept->capacity) {
    int capacity = kept->capacity > INT_MAX / 2 ? INT_MAX : 2 * kept->capacity;
    if (capacity < kept->count + count) capacity = kept->count + count;
    Entries grown = {0};
    if (!make_entries(&grown, capacity)) {
      free_entries(&grown);
      return 0;
    }
    if (kept->count > 0) {
      memcpy(grown.row, kept->entries.row, sizeof(int) * kept->count);
      memcpy(grown.latent, kept->entries.latent, sizeof(int) * kept->count);
      memcpy(grown.value, kept->entries.value, sizeof(float) * kept->count);
    }
    free_entries(&kept->entries);
    kept->entries = grown;
    kept->capacity = capacity;
  }
  memcpy(kept->entries.row + kept->count, entries->row, sizeof(int) * count);
  memcpy(kept->entries.latent + kept->count, entries->latent, sizeof(int) * count);
  memcpy(kept->entries.value + kept->count, entries->value, sizeof(float) * count);
  kept->count += count;
  return 1;
}

/* Take a share of the chunk's rows through the slab. */
static void scan_share(void *context, int share, int thread) {
  State *s = context;
  const Scan *scan = s->scan;
  const Kernels *kernels = s->kernels;
  int start = share * s->share_rows, rows = least(s->share_rows, s->rows - start);
  float *row_floor = s->row_floor + start;
  Latents of_slab = latents_from(&scan->latents, s->first_latent);
  Entries all = s->candidates[thread];
  Tops tops = s->tops;
  if (scan->top > 0) {
    tops.size += start;
    tops.latent += (size_t)start * tops.capacity;
    tops.value += (size_t)start * tops.capacity;
  }
  int panels = ceil_divide(s->latents, PANEL), gathered = 0;
  for (int panel = 0; panel < panels; panel++) {
    int first = panel * PANEL;
    Latents of_panel = latents_from(&of_slab, first);
    Entries next = {all.row + gathered, all.latent + gathered, all.value + gathered};
    gathered += kernels->screen(s->packed_rows + (size_t)start * s->packed_columns, s->about_rows + start, row_floor, rows,
                                s->panels + (size_t)first * s->packed_columns, s->about_latents + first, &of_panel,
                                s->first_latent + first, least(PANEL, s->latents - first), scan->columns, &next);
    if (gathered < GATHERED && panel + 1 < panels) continue;
    int count = kernels->score(chunk_row(s, start), slab_direction(s, 0), scan->columns, row_floor, &of_slab,
                               scan->unit ? 1 : INFINITY, s->first_latent, &all, gathered);
    gathered = 0;
    if (scan->top > 0) kernels->offer(&tops, row_floor, &all, count);
    else if (!keep(s->kept + share, &all, count)) __atomic_store_n(&s->failed, 1, __ATOMIC_RELAXED);
  }
}

/* Entries of each row of a share, into row_starts of the row after it. */
static void count_share(void *context, int share, int thread) {
  (void)thread;
  State *s = context;
  int start = share * s->share_rows, rows = least(s->share_rows, s->rows - start);
  int *counts = s->row_starts + start + 1;
  for (int row = 0; row < rows; row++) counts[row] = s->scan->top > 0 ? s->tops.size[start + row] : 0;
  if (s->scan->top > 0) return;
  const Kept *kept = s->kept + share;
  for (int i = 0; i < kept->count; i++) counts[kept->entries.row[i]]++;
}

/* Put the entries of a share where row_starts says; of a row that has entries still to come, row_starts then says where. */
static void place_share(void *context, int share, int thread) {
  (void)thread;
  State *s = context;
  int start = share * s->share_rows, rows = least(s->share_rows, s->rows - start);
  int *latents = s->found->latents + s->found->offsets[s->first_row];
  float *values = s->found->values + s->found->offsets[s->first_row];
  if (s->scan->top > 0) {
    Tops tops = {s->tops.capacity, s->tops.size + start, s->tops.latent + (size_t)start * s->tops.capacity,
                 s->tops.value + (size_t)start * s->tops.capacity};
    s->kernels->order(&tops, rows, s->scan->by_latent);
    for (int row = 0; row < rows; row++) {
      size_t from = (size_t)row * tops.capacity;
      memcpy(latents + s->row_starts[start + row], tops.latent + from, sizeof(int) * tops.size[row]);
      memcpy(values + s->row_starts[start + row], tops.value + from, sizeof(float) * tops.size[row]);
    }
    return;
  }
  const Kept *kept = s->kept + share;
  for (int i = 0; i < kept->count; i++) {
    int place = s->row_starts[start + kept->entries.row[i]]++;
    latents[place] = kept->entries.latent[i];
    values[place] = kept->entries.value[i];
  }
}

/* Append what the chunk found. Returns whether there was memory. */
static int collect(State *s, Pool *pool) {
  int shares = ceil_divide(s->rows, s->share_rows);
  int before = s->found->offsets[s->first_row];
  pool_share(pool, shares, count_share, s);
  s->row_starts[0] = 0;
  for (int row = 0; row < s->rows; row++) {
    if (s->row_starts[row + 1] > INT_MAX - before - s->row_starts[row]) return 0;
    s->row_starts[row + 1] += s->row_starts[row];
    s->found->offsets[s->first_row + row + 1] = before + s->row_starts[row + 1];
  }
  size_t total = (size_t)before + s->row_starts[s->rows];
  int *latents = realloc(s->found->latents, sizeof(int) * total + 1);
  if (latents) s->found->latents = latents;
  float *values = realloc(s->found->values, sizeof(float) * total + 1);
  if (values) s->found->values = values;
  if (!latents || !values) return 0;
  pool_share(pool, shares, place_share, s);
  return 1;
}

/* How many of `count` things to take at once so that they fit into `bytes`, `each` of them per thing. */
static int fitting(int count, size_t bytes, size_t each) {
  size_t most = bytes / each;
  return most == 0 ? 1 : most < (size_t)count ? (int)most : count;
}

static int open_state(State *s, Pool *pool) {
  const Scan *scan = s->scan;
  size_t row_bytes = 2 * (size_t)s->packed_columns + (scan->unit ? 4 * (size_t)scan->columns : 0);
  s->chunk_rows = fitting(scan->row_count, CHUNK_BYTES, row_bytes + 8 * (size_t)scan->top + 32);
  s->slab_panels =
      fitting(ceil_divide(scan->direction_count, PANEL), SLAB_BYTES, PANEL * (row_bytes + sizeof(Packed)));
  int even = ceil_divide(s->chunk_rows, SHARES_PER_THREAD * pool_threads(pool));
  int cached = fitting(even, SHARE_BYTES, 2 * (size_t)s->packed_columns);
  /* Whole panels, so that each begins at one. */
  s->share_rows = ceil_divide(cached, PANEL) * PANEL;

  size_t rows = s->chunk_rows, slab = (size_t)s->slab_panels * PANEL;
  s->packed_rows = room((size_t)ceil_divide(s->chunk_rows, PANEL) * PANEL, 2 * (size_t)s->packed_columns);
  s->about_rows = room((size_t)ceil_divide(s->chunk_rows, PANEL) * PANEL, sizeof(Packed));
  s->row_floor = room(rows, sizeof(float));
  s->row_starts = room(rows + 1, sizeof(int));
  s->panels = room(slab, 2 * (size_t)s->packed_columns);
  s->about_latents = room(slab, sizeof(Packed));
  s->kept = calloc(ceil_divide(s->chunk_rows, s->share_rows), sizeof(Kept));
  s->candidates = calloc(pool_threads(pool), sizeof(Entries));
  if (!s->packed_rows || !s->about_rows || !s->row_floor || !s->row_starts || !s->panels ||
      !s->about_latents || !s->kept || !s->candidates)
    return 0;
  for (int thread = 0; thread < pool_threads(pool); thread++)
    if (!make_entries(s->candidates + thread, GATHERED + s->share_rows * PANEL)) return 0;
  if (scan->unit) {
    s->unit_rows = room(rows * scan->columns, sizeof(float));
    s->unit_directions = room(slab * scan->columns, sizeof(float));
    if (!s->unit_rows || !s->unit_directions) return 0;
  }
  if (scan->top > 0) {
    s->tops.capacity = scan->top;
    s->tops.size = room(rows, sizeof(int));
    s->tops.latent = room(rows * scan->top, sizeof(int));
    s->tops.value = room(rows * scan->top, sizeof(float));
    if (!s->tops.size || !s->tops.latent || !s->tops.value) return 0;
  }
  return 1;
}

static void close_state(State *s, Pool *pool) {
  for (int share = 0; s->kept && share < ceil_divide(s->chunk_rows, s->share_rows); share++)
    free_entries(&s->kept[share].entries);
  for (int thread = 0; s->candidates && thread < pool_threads(pool); thread++) free_entries(s->candidates + thread);
  void *owned[] = {s->packed_rows, s->about_rows,      s->row_floor,  s->row_starts,  s->panels,     s->about_latents,
                   s->kept,         s->candidates,     s->unit_rows,  s->tops.size,   s->tops.latent, s->tops.value,
                   s->unit_directions};
  for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) free(owned[i]);
}

static void scan_chunk(State *s, Pool *pool) {
  const Scan *scan = s->scan;
  memcpy(s->row_floor, scan->row_floor + s->first_row, sizeof(float) * s->rows);
  if (scan->top > 0) memset(s->tops.size, 0, sizeof(int) * s->rows);
  int shares = ceil_divide(s->rows, s->share_rows);
  for (int share = 0; share < shares; share++) s->kept[share].count = 0;
  pool_share(pool, ceil_divide(s->rows, PANEL), pack_rows, s);
  for (s->first_latent = 0; s->first_latent < scan->direction_count && !s->failed; s->first_latent += s->latents) {
    s->latents = least(s->slab_panels * PANEL, scan->direction_count - s->first_latent);
    pool_share(pool, ceil_divide(s->latents, PANEL), pack_directions, s);
    pool_share(pool, shares, scan_share, s);
  }
}

int scan(const Kernels *kernels, Pool *pool, const Scan *scan, Found *found) {
  *found = (Found){calloc((size_t)scan->row_count + 1, sizeof(int)), malloc(1), malloc(1)};
  State state = {.kernels = kernels, .scan = scan, .packed_columns = kernels->packed_columns(scan->columns), .found = found};
  state.failed = !found->offsets || !found->latents || !found->values;
  if (scan->row_count > 0 && scan->direction_count > 0 && !state.failed) {
    state.failed = !open_state(&state, pool);
    for (; state.first_row < scan->row_count && !state.failed; state.first_row += state.rows) {
      state.rows = least(state.chunk_rows, scan->row_count - state.first_row);
      scan_chunk(&state, pool);
      if (!state.failed) state.failed = !collect(&state, pool);
    }
    close_state(&state, pool);
  }
  if (state.failed) free_found(found);
  return state.failed ? -1 : 0;
}

void free_found(Found *found) {
  free(found->offsets);
  free(found->latents);
  free(found->values);
  *found = (Found){0};
}
