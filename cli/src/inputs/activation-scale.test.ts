import { activationsInMemory, makeToyWorld, matrix, type Sae, UnsupportedError } from "@saestitch/core";
import { expect, test } from "vitest";
import { applyActivationScale, estimateActivationScale } from "./activation-scale.ts";

const plain = makeToyWorld({ documents: 1 }).smaller;
const scaled: Sae = { ...plain, normalization: { kind: "expected-average", factor: null } };
const never = () => Promise.reject(new Error("not to be estimated"));

test("estimateActivationScale() brings the mean norm of the rows that count to √d", async () => {
  const values = Float32Array.of(3, 4, 0, 0, 6, 8, 0, 0, 100, 0, 0, 0);
  const source = activationsInMemory(matrix(3, 4, values), { excluded: Uint8Array.of(0, 0, 1) });
  const options = { end: 3, skipNonFinite: false, batchRows: 2 };
  expect(await estimateActivationScale(source, options)).toBeCloseTo(2 / 7.5, 12);
  expect(await estimateActivationScale(source, { ...options, end: 1 })).toBeCloseTo(2 / 5, 12);
});

test("applyActivationScale() folds a factor into the SAEs that expect one, and only those", async () => {
  const { saes, factor } = await applyActivationScale([plain, scaled], 2, never);
  expect(factor).toBe(2);
  expect(saes[0]).toBe(plain);
  expect(saes[1].normalization).toEqual({ kind: "none" });
  expect(saes[1].encoder.values[5]).toBe(2 * plain.encoder.values[5]);
  expect((await applyActivationScale([scaled], "estimate", async () => 4)).factor).toBe(4);
});

test("applyActivationScale() leaves SAEs as their files say by default", async () => {
  expect(await applyActivationScale([plain, scaled], "file", never)).toEqual({
    saes: [plain, scaled],
    factor: null,
  });
});

test("applyActivationScale() refuses a factor that no SAE expects", async () => {
  await expect(applyActivationScale([plain], 2, never)).rejects.toThrow(UnsupportedError);
});
