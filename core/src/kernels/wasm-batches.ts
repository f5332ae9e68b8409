import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { groupByKey } from "./group-by-key.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** Byte offsets of what lies in the instance's memory while the entries of a chunk of rows are gone through. */
export interface BatchLayout {
  readonly dense: number;
  readonly directions: number;
  readonly row: number;
  readonly slot: number;
  readonly fresh: number;
  readonly value: number;
}

const ROW_BYTES = 8 * 2 ** 20;
/** Rows that `directions` has room for. */
export const SLOTS = 64;
const BATCH_ENTRIES = 4096;

/**
 * Call `visit` with rows `start` to `end` (exclusive) of `rows`, about as many as fit into memory at once, with room for `copies`
 * of them. All chunks are about equally large: each is a pass over the directions in use.
 */
export function eachChunk(
  wasm: WasmInstance,
  rows: number,
  columns: number,
  copies: number,
  visit: (start: number, end: number, at: BatchLayout) => void,
): void {
  const fitting = Math.max(1, Math.floor(ROW_BYTES / (4 * copies * Math.max(1, columns))));
  const most = Math.ceil(rows / Math.max(1, Math.ceil(rows / fitting)));
  const capacity = Math.max(BATCH_ENTRIES, most);
  const at = wasm.reserve({
    dense: copies * most * columns,
    directions: SLOTS * columns,
    row: capacity,
    slot: capacity,
    fresh: capacity,
    value: capacity,
  });
  for (let start = 0; start < rows; start += most) visit(start, Math.min(start + most, rows), at);
}

/**
 * Go through the entries of some rows by ascending latent, so that each direction used is copied in once and no other is.
 * `run` gets batches of entry numbers; their rows and slots of directions are in the instance's memory by then.
 */
export function eachBatch(
  wasm: WasmInstance,
  code: SparseCode,
  start: number,
  end: number,
  decoder: Matrix,
  at: BatchLayout,
  run: (entries: Int32Array) => void,
): void {
  const first = code.offsets[start];
  const latents = code.indices.subarray(first, code.offsets[end]);
  const rowOf = new Int32Array(latents.length);
  for (let i = start; i < end; i++)
    rowOf.fill(i - start, code.offsets[i] - first, code.offsets[i + 1] - first);
  const { offsets, order } = groupByKey(latents, code.columns);

  const capacity = Math.max(BATCH_ENTRIES, end - start);
  const entries = new Int32Array(capacity);
  const rows = wasm.ints(at.row, capacity);
  const slots = wasm.ints(at.slot, capacity);
  let count = 0;
  let slot = 0;
  for (let latent = 0; latent < code.columns; latent++) {
    const size = offsets[latent + 1] - offsets[latent];
    if (size === 0) continue;
    if (slot === SLOTS || count + size > capacity) {
      run(entries.subarray(0, count));
      count = 0;
      slot = 0;
    }
    wasm.loadRows(at.directions + 4 * slot * decoder.columns, decoder, latent, latent + 1);
    for (let i = offsets[latent]; i < offsets[latent + 1]; i++) {
      rows[count] = rowOf[order[i]];
      slots[count] = slot;
      entries[count] = first + order[i];
      count++;
    }
    slot++;
  }
  if (count > 0) run(entries.subarray(0, count));
}
