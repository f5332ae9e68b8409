import { type Matrix, rowRange } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { stackCodes } from "./code-rows.ts";
import { EntryList } from "./entry-list.ts";
import { groupByKey } from "./group-by-key.ts";
import type { Selection } from "./kernels.ts";
import { RowHeaps } from "./row-heaps.ts";
import { rowsPerScan, scanLatents } from "./scan-latents.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** `Kernels.encode` in the calling thread; arguments fit together. */
export function wasmEncode(
  wasm: WasmInstance,
  x: Matrix,
  encoder: Matrix,
  bias: Float32Array,
  selection: Selection,
): SparseCode {
  const kept = selection.kind === "top" ? Math.min(selection.count, encoder.rows) : 0;
  const most = rowsPerScan(x.columns, 8 * kept);
  const codes: SparseCode[] = [];
  for (let start = 0; start < x.rows; start += most) {
    const end = Math.min(start + most, x.rows);
    codes.push(
      encodeRows(wasm, rowRange(x, start, end), encoder, bias, selectionOfRows(selection, start, end)),
    );
  }
  return stackCodes(codes, encoder.rows);
}

/** The selection that rows `start` to `end` (exclusive) are under. */
export function selectionOfRows(selection: Selection, start: number, end: number): Selection {
  return selection.kind === "row-threshold"
    ? { ...selection, threshold: selection.threshold.subarray(start, end) }
    : selection;
}

function encodeRows(
  wasm: WasmInstance,
  x: Matrix,
  encoder: Matrix,
  bias: Float32Array,
  selection: Selection,
): SparseCode {
  const scan = { rows: x, directions: encoder, bias };
  const unbounded = new Float32Array(x.rows).fill(Number.NEGATIVE_INFINITY);
  const entries = new EntryList();
  switch (selection.kind) {
    case "threshold": {
      const { threshold, scale, offset } = selection;
      if (scale === undefined && offset === undefined) {
        const latentFloor = threshold.map((value) => Math.max(value, 0));
        scanLatents(wasm, { ...scan, rowFloor: unbounded, latentFloor }, ({ rows, latents, values }) =>
          entries.append(rows, latents, values),
        );
        break;
      }
      scanLatents(wasm, { ...scan, rowFloor: unbounded, latentFloor: threshold }, (found) => {
        for (let i = 0; i < found.rows.length; i++) {
          const j = found.latents[i];
          const value = Math.fround(found.values[i] * (scale?.[j] ?? 1) + (offset?.[j] ?? 0));
          if (value > 0) entries.push(found.rows[i], j, value);
        }
      });
      break;
    }
    case "row-threshold":
      scanLatents(
        wasm,
        { ...scan, rowFloor: selection.threshold, latentFloor: new Float32Array(encoder.rows) },
        ({ rows, latents, values }) => entries.append(rows, latents, values),
      );
      break;
    case "top":
      return encodeTop(wasm, x, encoder, bias, Math.min(selection.count, encoder.rows));
    default:
      selection satisfies never;
  }
  return entries.toCode(x.rows, encoder.rows);
}

function encodeTop(
  wasm: WasmInstance,
  x: Matrix,
  encoder: Matrix,
  bias: Float32Array,
  count: number,
): SparseCode {
  const entries = new EntryList();
  if (count === 0) return entries.toCode(x.rows, encoder.rows);
  const heaps = new RowHeaps(x.rows, count, 0);
  scanLatents(
    wasm,
    { rows: x, directions: encoder, bias, rowFloor: new Float32Array(x.rows) },
    (found, rowFloor) => {
      for (let i = 0; i < found.rows.length; i++) {
        const row = found.rows[i];
        rowFloor[row] = heaps.offer(row, found.latents[i], found.values[i]);
      }
    },
  );

  const rows = new Int32Array(x.rows * count);
  const latents = new Int32Array(x.rows * count);
  const values = new Float32Array(x.rows * count);
  let length = 0;
  for (let row = 0; row < x.rows; row++) {
    const size = heaps.size(row);
    heaps.drain(row, latents, values, length);
    rows.fill(row, length, length + size);
    length += size;
  }
  const { order } = groupByKey(latents.subarray(0, length), encoder.rows);
  for (const entry of order) entries.push(rows[entry], latents[entry], values[entry]);
  return entries.toCode(x.rows, encoder.rows);
}
