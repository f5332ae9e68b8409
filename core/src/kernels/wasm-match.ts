import { type Matrix, rowRange } from "../tensor/matrix.ts";
import type { Matches } from "./kernels.ts";
import { RowHeaps } from "./row-heaps.ts";
import { rowsPerScan, scanLatents } from "./scan-latents.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** `Kernels.match` in the calling thread, written into `out`; arguments fit together, `out.count` is at most `among.rows`. */
export function wasmMatch(wasm: WasmInstance, rows: Matrix, among: Matrix, out: Matches): void {
  if (out.count === 0) return;
  const most = rowsPerScan(rows.columns, 8 * out.count);
  for (let start = 0; start < rows.rows; start += most) {
    const end = Math.min(start + most, rows.rows);
    const heaps = new RowHeaps(end - start, out.count, Number.NEGATIVE_INFINITY);
    const scan = {
      rows: rowRange(rows, start, end),
      directions: among,
      rowFloor: new Float32Array(end - start).fill(Number.NEGATIVE_INFINITY),
      unit: true,
    };
    scanLatents(wasm, scan, (found, rowFloor) => {
      for (let i = 0; i < found.rows.length; i++) {
        const row = found.rows[i];
        const cosine = Math.min(1, Math.max(-1, found.values[i]));
        rowFloor[row] = heaps.offer(row, found.latents[i], cosine);
      }
    });
    for (let i = start; i < end; i++) heaps.drain(i - start, out.indices, out.cosines, i * out.count);
  }
}
