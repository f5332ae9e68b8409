import { expect, test } from "vitest";
import { matrix } from "../tensor/matrix.ts";
import { describeExactSelection } from "./exact-selection.conformance.ts";
import { describeKernels } from "./kernels.conformance.ts";
import { createWasmKernels } from "./wasm-kernels.ts";

describeKernels("createWasmKernels()", createWasmKernels);
describeExactSelection("createWasmKernels()", createWasmKernels);

test("update() of createWasmKernels() lets means fade to zero where they would be subnormal", async () => {
  const kernels = await createWasmKernels();
  const least = 2 ** -126;
  const first = matrix(1, 4, Float32Array.of(least, -least, 2 * least, Number.NaN));
  const second = matrix(1, 4, Float32Array.of(least, 2 * least, least, least));
  const weights = matrix(1, 4, Float32Array.of(1, 1, 1, 1));
  const adam = { rate: 1, beta1: 0.5, beta2: 0.5, epsilon: 1e-8, step: 9 };
  await kernels.update(weights, { first, second }, [], adam);
  expect(Array.from(first.values)).toEqual([0, 0, least, Number.NaN]);
  expect(Array.from(second.values)).toEqual([0, least, 0, 0]);
  expect(Array.from(weights.values)).toEqual([1, 1, 1, Number.NaN]);
});
