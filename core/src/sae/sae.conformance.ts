import { expect, test } from "vitest";
import { denseCode, largestDifference, plainForward } from "../../test-support/plain-forward.ts";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { encode, reconstruct, residual } from "./encode.ts";
import type { Activation, Normalization, Sae } from "./sae.ts";
import { selectionOf } from "./selection.ts";

const d = 11;
const m = 24;
const b = 40;

/** Every normalisation. */
export const everyNormalization: readonly Normalization[] = [
  { kind: "none" },
  { kind: "layer-norm" },
  { kind: "unit-mean-square" },
  { kind: "expected-average", factor: 0.37 },
];

/** What holds for every SAE, asked of one activation (for `m` = 24 latents) with each normalisation. */
export function saeConformance(activation: Activation): void {
  const random = seededRandom(7);
  for (const normalization of everyNormalization) {
    const sae = randomSae(random, d, m, { activation, normalization });
    const x = randomMatrix(random, b, d, 1.5);
    conformance(`${activation.kind} with ${normalization.kind}`, sae, x);
  }

  test(`${activation.kind}: a pre-activation at the threshold is inactive, the next float above it active`, async () => {
    const selection = selectionOf(randomSae(random, m, m, { activation }));
    const thresholds = selection.kind === "threshold" ? selection.threshold : new Float32Array(m);
    const identity = {
      ...randomSae(random, m, m, { activation }),
      encoder: zeros(m, m),
      encoderBias: new Float32Array(m),
    };
    for (let j = 0; j < m; j++) identity.encoder.values[j * m + j] = 1;
    const sae = { ...identity, inputBias: new Float32Array(m) };
    const at = await encode(sae, { rows: 1, columns: m, values: thresholds }, referenceKernels);
    expect(at.code.indices.length).toBe(0);
    for (let j = 0; j < m; j++) {
      const x = Float32Array.from(thresholds);
      x[j] = nextFloat(x[j]);
      const above = await encode(sae, { rows: 1, columns: m, values: x }, referenceKernels);
      const magnitude =
        activation.kind === "gated"
          ? x[j] * activation.magnitudeScale[j] + activation.magnitudeOffset[j]
          : x[j];
      expect([...above.code.indices]).toEqual(magnitude > 0 ? [j] : []);
    }
  });
}

function conformance(name: string, sae: Sae, x: Matrix): void {
  test(`${name}: code and reconstruction are those of the written-out formula`, async () => {
    const encoding = await encode(sae, x, referenceKernels);
    const reconstruction = await reconstruct(sae, encoding, referenceKernels);
    const code = denseCode(encoding.code);
    let compared = 0;
    for (const reluFirst of [false, true]) {
      plainForward(sae, x, { reluFirst }).forEach((plain, i) => {
        if (plain.margin < 1e-5) return;
        compared++;
        expect(largestDifference(code[i], plain.code)).toBeLessThan(1e-5);
        expect(largestDifference(row(reconstruction, i), plain.reconstruction)).toBeLessThan(1e-5);
      });
    }
    expect(compared).toBeGreaterThan(1.9 * b);
    expect(encoding.code.indices.length).toBeGreaterThan(b);
  });

  test(`${name}: the residual is what the reconstruction leaves`, async () => {
    const encoding = await encode(sae, x, referenceKernels);
    const reconstruction = await reconstruct(sae, encoding, referenceKernels);
    const left = await residual(sae, x, encoding, referenceKernels);
    const difference = x.values.map((value, p) => value - reconstruction.values[p]);
    expect(largestDifference(left.values, difference)).toBeLessThan(2e-6);
  });

  test(`${name}: codes are positive and in ascending order`, async () => {
    const { code } = await encode(sae, x, referenceKernels);
    expect(code.values.every((value) => value > 0)).toBe(true);
    for (let i = 0; i < code.rows; i++) {
      const latents = code.indices.subarray(code.offsets[i], code.offsets[i + 1]);
      expect([...latents]).toEqual([...new Set(latents)].sort((a, b) => a - b));
    }
  });
}

/** The least float32 above a number that is not negative. */
function nextFloat(value: number): number {
  const floats = Float32Array.of(value);
  new Uint32Array(floats.buffer)[0]++;
  return floats[0];
}
