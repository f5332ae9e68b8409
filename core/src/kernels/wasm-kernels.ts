import { zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import { allocateMatches } from "./allocate-matches.ts";
import {
  checkDecode,
  checkEncode,
  checkMatch,
  checkProject,
  checkUpdate,
  checkWalk,
} from "./check-arguments.ts";
import type { Kernels } from "./kernels.ts";
import { wasmDecode, wasmProject, wasmWalk } from "./wasm-decode.ts";
import { wasmEncode } from "./wasm-encode.ts";
import { WasmInstance } from "./wasm-instance.ts";
import { wasmMatch } from "./wasm-match.ts";
import { wasmUpdate } from "./wasm-update.ts";

/**
 * WebAssembly SIMD in the calling thread, which it blocks while a call runs.
 *
 * Memory of its own: a few MiB, whatever the sizes of the matrices; weights and batches stay where they are.
 */
export async function createWasmKernels(): Promise<Kernels> {
  let instance: WasmInstance | null = await WasmInstance.open();
  const open = (action: string): WasmInstance => {
    if (instance === null) throw new Error(`Cannot ${action}: the kernels are closed`);
    return instance;
  };
  return {
    name: "wasm, in the calling thread",

    async encode(x, encoder, bias, selection) {
      checkEncode(x, encoder, bias, selection);
      return wasmEncode(open("encode"), x, encoder, bias, selection);
    },

    async decode(code, decoder, base, sign) {
      checkDecode(code, decoder, base);
      const out = zeros(base.rows, base.columns);
      wasmDecode(open("decode"), code, decoder, base, sign, out);
      return out;
    },

    async project(code, decoder, residual) {
      checkProject(code, decoder, residual);
      const out = allocateFloat32(code.indices.length);
      wasmProject(open("project"), code, decoder, residual, out);
      return out;
    },

    async walk(code, decoder, residual, group) {
      checkWalk(code, decoder, residual, group);
      const out = allocateFloat32(code.indices.length);
      wasmWalk(open("walk"), code, decoder, residual, group, out);
      return out;
    },

    async match(rows, among, count) {
      checkMatch(rows, among, count);
      const out = allocateMatches(rows.rows, Math.min(count, among.rows));
      wasmMatch(open("match"), rows, among, out);
      return out;
    },

    async update(weights, moments, gradient, adam, { unitRows = false } = {}) {
      checkUpdate(weights, moments, gradient, adam);
      wasmUpdate(open("update"), weights, moments, gradient, adam, unitRows);
    },

    async close() {
      instance = null;
    },
  };
}
