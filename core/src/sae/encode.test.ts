import { describe, expect, test } from "vitest";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { row, zeros } from "../tensor/matrix.ts";
import { encode, reconstruct, residual } from "./encode.ts";
import { saeConformance } from "./sae.conformance.ts";

describe("conformance", () => {
  for (const activation of everyActivation(seededRandom(1), 24)) saeConformance(activation);
});

test("encode() refuses activations of another width and names both", async () => {
  const sae = randomSae(seededRandom(2), 6, 4);
  const promise = encode(sae, zeros(3, 5), referenceKernels);
  await expect(promise).rejects.toThrow(ShapeError);
  await expect(promise).rejects.toThrow(/width 5 .* width 6/);
});

test("encode() without the factor of an expected-average SAE says what to give", async () => {
  const normalization = { kind: "expected-average", factor: null } as const;
  const sae = randomSae(seededRandom(2), 6, 4, { normalization });
  const promise = encode(sae, zeros(3, 6), referenceKernels);
  await expect(promise).rejects.toThrow(UnsupportedError);
  await expect(promise).rejects.toThrow(/Give the factor/);
});

test("encode() gives the code itself as contributions when the SAE does not scale", async () => {
  const random = seededRandom(3);
  const { code, contributions } = await encode(
    randomSae(random, 6, 9),
    randomMatrix(random, 4, 6),
    referenceKernels,
  );
  expect(contributions).toBe(code);
});

test("encode() takes another selection, as for BatchTopK in batch mode", async () => {
  const random = seededRandom(4);
  const sae = randomSae(random, 6, 30, { activation: { kind: "batchtopk", threshold: 0.1 } });
  const { code } = await encode(sae, randomMatrix(random, 5, 6), referenceKernels, {
    selection: { kind: "top", count: 2 },
  });
  for (let i = 0; i < 5; i++) expect(code.offsets[i + 1] - code.offsets[i]).toBeLessThanOrEqual(2);
});

test("an SAE that normalises gives a constant token back unchanged", async () => {
  for (const [kind, value] of [
    ["layer-norm", 3],
    ["unit-mean-square", 0],
  ] as const) {
    const sae = randomSae(seededRandom(5), 6, 9, { normalization: { kind } });
    const x = { rows: 1, columns: 6, values: new Float32Array(6).fill(value) };
    const reconstruction = await reconstruct(sae, await encode(sae, x, referenceKernels), referenceKernels);
    expect([...row(reconstruction, 0)]).toEqual([...x.values]);
  }
});

test("residual() refuses activations that the encoding was not made from", async () => {
  const random = seededRandom(6);
  const sae = randomSae(random, 6, 9);
  const encoding = await encode(sae, randomMatrix(random, 4, 6), referenceKernels);
  await expect(residual(sae, zeros(3, 6), encoding, referenceKernels)).rejects.toThrow(ShapeError);
});
