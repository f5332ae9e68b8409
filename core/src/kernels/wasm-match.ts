import type { Matrix } from "../tensor/matrix.ts";
import type { Matches } from "./kernels.ts";
import { scanLatents } from "./scan-latents.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** `Kernels.match` in the calling thread, written into `out`; arguments fit together, `out.count` is at most `among.rows`. */
export function wasmMatch(wasm: WasmInstance, rows: Matrix, among: Matrix, out: Matches): void {
  if (out.count === 0) return;
  const floors = {
    rowFloor: new Float32Array(rows.rows).fill(Number.NEGATIVE_INFINITY),
    latentFloor: new Float32Array(among.rows).fill(Number.NEGATIVE_INFINITY),
    top: out.count,
  };
  const bias = new Float32Array(among.rows);
  const found = scanLatents(wasm, {
    rows,
    directions: among,
    bias,
    floors,
    unit: true,
    order: "best first",
  });
  // As many as asked for were found of each row.
  out.indices.set(found.indices);
  out.cosines.set(found.values);
}
