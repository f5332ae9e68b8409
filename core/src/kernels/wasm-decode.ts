import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { groupByKey } from "./group-by-key.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** Byte offsets of what the operations keep in the instance's memory. */
interface Layout {
  readonly dense: number;
  readonly directions: number;
  readonly row: number;
  readonly slot: number;
  readonly fresh: number;
  readonly value: number;
}

const ROW_BYTES = 8 * 2 ** 20;
const SLOTS = 64;
const BATCH_ENTRIES = 4096;

/** `Kernels.decode` in the calling thread, written into `out` [b × d]; arguments fit together. */
export function wasmDecode(
  wasm: WasmInstance,
  code: SparseCode,
  decoder: Matrix,
  base: Matrix,
  sign: 1 | -1,
  out: Matrix,
): void {
  const quads = Math.ceil(base.columns / 4);
  eachChunk(wasm, code, quads, 1, (start, end, at) => {
    wasm.loadRows(at.dense, base, start, end, quads);
    eachBatch(wasm, code, start, end, decoder, at, (entries) => {
      const weights = wasm.floats(at.value, entries.length);
      for (let i = 0; i < entries.length; i++) weights[i] = sign * code.values[entries[i]];
      const { add_directions } = wasm.functions;
      add_directions(at.dense, at.directions, quads, at.row, at.slot, at.value, entries.length);
    });
    wasm.storeRows(at.dense, out, start, end, quads);
  });
}

/** `Kernels.project` in the calling thread, written into `out` [entries]; arguments fit together. */
export function wasmProject(
  wasm: WasmInstance,
  code: SparseCode,
  decoder: Matrix,
  residual: Matrix,
  out: Float32Array,
): void {
  const quads = Math.ceil(residual.columns / 4);
  eachChunk(wasm, code, quads, 1, (start, end, at) => {
    wasm.loadRows(at.dense, residual, start, end, quads);
    eachBatch(wasm, code, start, end, decoder, at, (entries) => {
      const { project_directions } = wasm.functions;
      project_directions(at.dense, at.directions, quads, at.row, at.slot, at.value, entries.length);
      const products = wasm.floats(at.value, entries.length);
      for (let i = 0; i < entries.length; i++) out[entries[i]] = products[i];
    });
  });
}

/** `Kernels.walk` in the calling thread, written into `out` [entries]; arguments fit together. */
export function wasmWalk(
  wasm: WasmInstance,
  code: SparseCode,
  decoder: Matrix,
  residual: Matrix,
  group: Int32Array | undefined,
  out: Float32Array,
): void {
  const { offsets, indices, values } = code;
  const quads = Math.ceil(residual.columns / 4);
  // Rows that are walked once need not be kept as they were.
  const copies = group === undefined ? 1 : 2;
  eachChunk(wasm, code, quads, copies, (start, end, at) => {
    wasm.loadRows(at.dense, residual, start, end, quads);
    const left = at.dense + (copies - 1) * (end - start) * 16 * quads;
    eachBatch(wasm, code, start, end, decoder, at, (entries) => {
      const rows = wasm.ints(at.row, entries.length);
      const fresh = wasm.ints(at.fresh, entries.length);
      const products = wasm.floats(at.value, entries.length);
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i];
        const isFirst = entry === offsets[start + rows[i]];
        fresh[i] = Number(
          isFirst || (group !== undefined && group[indices[entry]] !== group[indices[entry - 1]]),
        );
        products[i] = values[entry];
      }
      const { walk_directions } = wasm.functions;
      walk_directions(
        at.dense,
        left,
        at.directions,
        quads,
        at.row,
        at.slot,
        at.fresh,
        at.value,
        entries.length,
      );
      for (let i = 0; i < entries.length; i++) out[entries[i]] = products[i];
    });
  });
}

/** Call `visit` with rows `start` to `end` (exclusive), as many as fit into memory at once, with room for `copies` of them. */
function eachChunk(
  wasm: WasmInstance,
  code: SparseCode,
  quads: number,
  copies: number,
  visit: (start: number, end: number, at: Layout) => void,
): void {
  const most = Math.max(1, Math.min(code.rows, Math.floor(ROW_BYTES / (16 * copies * Math.max(1, quads)))));
  const capacity = Math.max(BATCH_ENTRIES, most);
  const at = wasm.reserve({
    dense: copies * most * 4 * quads,
    directions: SLOTS * 4 * quads,
    row: capacity,
    slot: capacity,
    fresh: capacity,
    value: capacity,
  });
  for (let start = 0; start < code.rows; start += most) visit(start, Math.min(start + most, code.rows), at);
}

/**
 * Go through the entries of some rows by ascending latent, so that each direction used is copied in once and no other is.
 * `run` gets batches of entry numbers; their rows and slots of directions are in the instance's memory by then.
 */
function eachBatch(
  wasm: WasmInstance,
  code: SparseCode,
  start: number,
  end: number,
  decoder: Matrix,
  at: Layout,
  run: (entries: Int32Array) => void,
): void {
  const quads = Math.ceil(decoder.columns / 4);
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
    wasm.loadRows(at.directions + slot * 16 * quads, decoder, latent, latent + 1, quads);
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
