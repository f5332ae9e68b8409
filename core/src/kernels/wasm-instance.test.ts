import { expect, test } from "vitest";
import { matrix, zeros } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { allocateMatches } from "./allocate-matches.ts";
import { wasmDecode, wasmProject, wasmWalk } from "./wasm-decode.ts";
import { wasmEncode } from "./wasm-encode.ts";
import { WasmInstance } from "./wasm-instance.ts";
import { wasmMatch } from "./wasm-match.ts";
import { wasmUpdate } from "./wasm-update.ts";

const MIB = 2 ** 20;

test("the kernels' memory stays a few MiB, whatever the number of rows and latents", async () => {
  const wasm = await WasmInstance.open();
  const x = zeros(20_000, 32);
  const weights = zeros(3000, 32);
  const bias = new Float32Array(3000).fill(-1);
  bias[5] = 1;
  const code = wasmEncode(wasm, x, weights, bias, { kind: "threshold", threshold: new Float32Array(3000) });
  expect(code.indices).toHaveLength(20_000);
  wasmEncode(wasm, x, weights, bias, { kind: "top", count: 200 });
  wasmMatch(wasm, x, weights, allocateMatches(x.rows, 10));
  wasmDecode(wasm, code, weights, x, 1, zeros(x.rows, 32));
  wasmProject(wasm, code, weights, x, new Float32Array(20_000));
  wasmWalk(wasm, code, weights, x, undefined, new Float32Array(20_000));
  wasmWalk(wasm, code, weights, x, new Int32Array(3000), new Float32Array(20_000));
  const wide = zeros(20_000, 256);
  const moments = { first: zeros(20_000, 256), second: zeros(20_000, 256) };
  const adam = { rate: 1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 1 };
  wasmUpdate(wasm, wide, moments, [{ code, rows: zeros(3000, 256) }], adam, true);
  expect(wasm.memoryBytes).toBeLessThan(16 * MIB);
});

test("the kernels' memory holds 32 rows of a wide encoder at a time", async () => {
  const wasm = await WasmInstance.open();
  const width = 2 ** 14;
  wasmEncode(wasm, zeros(500, width), zeros(400, width), new Float32Array(400), { kind: "top", count: 1 });
  expect(wasm.memoryBytes).toBeLessThan(12 * MIB);
});

test("wasmDecode(), wasmProject() and wasmWalk() read each direction in use once, and no other", async () => {
  const wasm = await WasmInstance.open();
  const decoder = matrix(1000, 3, new Float32Array(3000).fill(1));
  const read: number[] = [];
  decoder.values.subarray = (start = 0, end) => {
    read.push(start / 3);
    return Float32Array.prototype.subarray.call(decoder.values, start, end);
  };
  const code: SparseCode = {
    rows: 3,
    columns: 1000,
    offsets: Int32Array.of(0, 2, 2, 5),
    indices: Int32Array.of(7, 900, 7, 8, 999),
    values: Float32Array.of(1, 2, 3, 4, 5),
  };
  wasmDecode(wasm, code, decoder, zeros(3, 3), 1, zeros(3, 3));
  expect(read).toEqual([7, 8, 900, 999]);
  read.length = 0;
  wasmProject(wasm, code, decoder, zeros(3, 3), new Float32Array(5));
  expect(read).toEqual([7, 8, 900, 999]);
  read.length = 0;
  wasmWalk(wasm, code, decoder, zeros(3, 3), new Int32Array(1000), new Float32Array(5));
  expect(read).toEqual([7, 8, 900, 999]);
});
