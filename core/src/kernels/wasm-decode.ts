import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { type BatchLayout, eachBatch, eachChunk } from "./wasm-batches.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** `Kernels.decode` in the calling thread, written into `out` [b × d]; arguments fit together. */
export function wasmDecode(
  wasm: WasmInstance,
  code: SparseCode,
  decoder: Matrix,
  base: Matrix,
  sign: 1 | -1,
  out: Matrix,
): void {
  const { columns } = base;
  eachChunk(wasm, code.rows, columns, 1, (start, end, at) => {
    wasm.loadRows(at.dense, base, start, end);
    addCode(wasm, code, start, end, decoder, sign, at);
    wasm.storeRows(at.dense, out, start, end);
  });
}

/** Add `sign · code · decoder` of rows `start` to `end` (exclusive) to the rows of {@link eachChunk}. */
export function addCode(
  wasm: WasmInstance,
  code: SparseCode,
  start: number,
  end: number,
  decoder: Matrix,
  sign: 1 | -1,
  at: BatchLayout,
): void {
  eachBatch(wasm, code, start, end, decoder, at, (entries) => {
    const weights = wasm.floats(at.value, entries.length);
    for (let i = 0; i < entries.length; i++) weights[i] = code.values[entries[i]];
    const { add_directions } = wasm.functions;
    const { columns } = decoder;
    add_directions(at.dense, at.directions, columns, at.row, at.slot, at.value, sign, entries.length);
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
  const { columns } = residual;
  eachChunk(wasm, code.rows, columns, 1, (start, end, at) => {
    wasm.loadRows(at.dense, residual, start, end);
    eachBatch(wasm, code, start, end, decoder, at, (entries) => {
      const { project_directions } = wasm.functions;
      project_directions(at.dense, at.directions, columns, at.row, at.slot, at.value, entries.length);
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
  const { columns } = residual;
  // Rows that are walked once need not be kept as they were.
  const copies = group === undefined ? 1 : 2;
  eachChunk(wasm, code.rows, columns, copies, (start, end, at) => {
    wasm.loadRows(at.dense, residual, start, end);
    const left = at.dense + (copies - 1) * 4 * (end - start) * columns;
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
        columns,
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
