import { expect, test } from "vitest";
import { largestDifference, plainForward } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { collectRows, describeActivationSource } from "../activations/activation-source.conformance.ts";
import type { ActivationSource } from "../activations/activation-source.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { encode, residual } from "../sae/encode.ts";
import type { Normalization } from "../sae/sae.ts";
import { matrix, row } from "../tensor/matrix.ts";
import { residualActivations } from "./residual-activations.ts";
import { shuffledBatches } from "./shuffled-batches.ts";

const d = 6;
const latents = 14;
const n = 40;

const normalizations: Normalization[] = [
  { kind: "none" },
  { kind: "layer-norm" },
  { kind: "unit-mean-square" },
  { kind: "expected-average", factor: 1.7 },
];

/** Rows 9 and 30 hold NaN and an infinite value, 4 and 9 are excluded. */
function brokenSample(): ActivationSource {
  const x = randomMatrix(seededRandom(1), n, d);
  row(x, 9)[2] = Number.NaN;
  row(x, 30)[0] = Number.NEGATIVE_INFINITY;
  const excluded = new Uint8Array(n);
  excluded[4] = excluded[9] = 1;
  return activationsInMemory(x, {
    location: "the sample",
    excluded,
    documentIds: Int32Array.from({ length: n }, (_, i) => i >> 3),
    tokenIds: Int32Array.from({ length: n }, (_, i) => i % 5),
  });
}

test("residualActivations() gives x − x̂, as the plain formulas and residual() do", async () => {
  const random = seededRandom(2);
  const x = randomMatrix(random, n, d);
  const source = activationsInMemory(x);
  for (const normalization of normalizations) {
    for (const activation of everyActivation(random, latents)) {
      const sae = randomSae(random, d, latents, { normalization, activation });
      const { activations } = await collectRows(residualActivations(sae, source, referenceKernels), {
        batchRows: 7,
      });
      const encoding = await encode(sae, x, referenceKernels);
      expect(activations).toEqual(
        Float32Array.from((await residual(sae, x, encoding, referenceKernels)).values),
      );
      for (const [i, { reconstruction, margin }] of plainForward(sae, x).entries()) {
        if (margin < 1e-5) continue;
        const expected = reconstruction.map((value, k) => x.values[i * d + k] - value);
        expect(largestDifference(activations.subarray(i * d, (i + 1) * d), expected)).toBeLessThan(1e-5);
      }
    }
  }
});

test("residualActivations() leaves ids, marks, and the rows that no average may see as they are", async () => {
  for (const normalization of normalizations) {
    const sae = randomSae(seededRandom(3), d, latents, { normalization });
    const before = await collectRows(brokenSample());
    const after = await collectRows(residualActivations(sae, brokenSample(), referenceKernels));
    expect({ ...after, activations: undefined }).toEqual({ ...before, activations: undefined });
    for (let i = 0; i < n; i++) {
      const [x, left] = [before, after].map(({ activations }) => activations.slice(i * d, (i + 1) * d));
      if ([4, 9, 30].includes(i)) {
        expect(left).toEqual(x);
        continue;
      }
      // As if the row stood alone.
      const alone = matrix(1, d, x);
      const encoding = await encode(sae, alone, referenceKernels);
      expect(left).toEqual(
        Float32Array.from((await residual(sae, alone, encoding, referenceKernels)).values),
      );
    }
  }
});

test("residualActivations() can be trained on, without the rows that are not finite or refusing them", async () => {
  const sae = randomSae(seededRandom(3), d, latents);
  const source = residualActivations(sae, brokenSample(), referenceKernels);
  const options = { seed: 1, windowRows: 16, batchRows: n - 3 };
  const first = async (skipNonFinite: boolean) => {
    for await (const { activations, next } of shuffledBatches(source, { ...options, skipNonFinite })) {
      expect(next).toEqual({ pass: 1, window: 0, offset: 0 });
      return activations.values;
    }
    throw new Error("no batch");
  };
  expect((await first(true)).every(Number.isFinite)).toBe(true);
  await expect(first(false)).rejects.toThrow(/residual of the sample after an SAE: 1 of rows .* row 30/);
});

test("residualActivations() refuses an SAE of another width, or that lacks the factor of its normalisation", async () => {
  const random = seededRandom(4);
  const wide = randomSae(random, d + 1, latents);
  expect(() => residualActivations(wide, brokenSample(), referenceKernels)).toThrow(ShapeError);
  expect(() => residualActivations(wide, brokenSample(), referenceKernels)).toThrow(
    /the sample, of width 6, with an SAE of width 7/,
  );
  const normalization = { kind: "expected-average", factor: null } as const;
  const incomplete = randomSae(random, d, latents, { normalization });
  const source = residualActivations(incomplete, brokenSample(), referenceKernels);
  await expect(collectRows(source)).rejects.toThrow(UnsupportedError);
});

for (const normalization of [normalizations[0], normalizations[1]]) {
  describeActivationSource(`the residual of an SAE (normalisation: ${normalization.kind})`, () =>
    residualActivations(
      randomSae(seededRandom(5), d, latents, { normalization }),
      brokenSample(),
      referenceKernels,
    ),
  );
}
