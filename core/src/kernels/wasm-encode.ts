import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { Selection } from "./kernels.ts";
import { scanLatents } from "./scan-latents.ts";
import { floorsOf } from "./selection-floors.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** `Kernels.encode` in the calling thread; arguments fit together. */
export function wasmEncode(
  wasm: WasmInstance,
  x: Matrix,
  encoder: Matrix,
  bias: Float32Array,
  selection: Selection,
): SparseCode {
  const floors = floorsOf(selection, x.rows, encoder.rows);
  return scanLatents(wasm, { rows: x, directions: encoder, bias, floors, unit: false, order: "by latent" });
}
