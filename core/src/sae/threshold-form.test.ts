import fc from "fast-check";
import { expect, test } from "vitest";
import { largestDifference, plainForward } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { UnsupportedError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { everyNormalization } from "./sae.conformance.ts";
import { selectionOf } from "./selection.ts";
import { toThresholdForm } from "./threshold-form.ts";

const d = 7;
const m = 13;

/** Kinds of {@link everyActivation} that are per latent. */
const perLatent = [0, 1, 3, 4];

test("toThresholdForm() changes neither codes nor reconstructions, for every per-latent activation and normalisation", () => {
  const drawn = fc.tuple(fc.integer(), fc.constantFrom(...perLatent), fc.constantFrom(...everyNormalization));
  let compared = 0;
  fc.assert(
    fc.property(drawn, ([seed, kind, normalization]) => {
      const random = seededRandom(seed);
      const sae = randomSae(random, d, m, { activation: everyActivation(random, m)[kind], normalization });
      const form = toThresholdForm(sae);
      expect(form.activation.kind).toBe(kind === 0 ? "relu" : "jumprelu");
      const x = randomMatrix(random, 12, d, 1.5);
      const before = plainForward(sae, x);
      plainForward(form, x).forEach((after, i) => {
        if (Math.min(after.margin, before[i].margin) < 1e-5) return;
        compared++;
        const scale = Math.max(1, ...before[i].code, ...before[i].reconstruction.map(Math.abs));
        expect(largestDifference(after.code, before[i].code)).toBeLessThan(1e-6 * scale);
        expect(largestDifference(after.reconstruction, before[i].reconstruction)).toBeLessThan(1e-6 * scale);
      });
    }),
  );
  expect(compared).toBeGreaterThan(1000);
});

test("toThresholdForm() of a gated SAE keeps a latent whose gate is open but whose magnitude is negative inactive", () => {
  const random = seededRandom(5);
  const sae = randomSae(random, d, m, {
    activation: {
      kind: "gated",
      magnitudeScale: new Float32Array(m).fill(2),
      magnitudeOffset: Float32Array.from({ length: m }, (_, j) => (j % 2 === 0 ? -0.5 : 0.5)),
    },
  });
  const { activation } = toThresholdForm(sae);
  if (activation.kind !== "jumprelu") throw new Error(activation.kind);
  expect([...activation.threshold]).toEqual(Array.from({ length: m }, (_, j) => (j % 2 === 0 ? 0 : 0.5)));
});

test("toThresholdForm() has the thresholds of selectionOf(), and records what it changed", () => {
  const threshold = Float32Array.of(-1, 0, 2);
  const sae = randomSae(seededRandom(1), d, 3, { activation: { kind: "jumprelu", threshold } });
  const form = toThresholdForm(sae);
  expect(form.activation).toEqual({ kind: "jumprelu", threshold: Float32Array.of(0, 0, 2) });
  expect(selectionOf(form)).toEqual(selectionOf(sae));
  expect(form.folds.map(({ kind }) => kind)).toEqual(["threshold-form"]);
});

test("toThresholdForm() gives back the very SAE where nothing is to change", () => {
  for (const activation of [
    { kind: "relu" } as const,
    { kind: "jumprelu", threshold: new Float32Array(m).fill(0.5) } as const,
  ]) {
    const sae = randomSae(seededRandom(1), d, m, { activation });
    expect(toThresholdForm(sae)).toBe(sae);
  }
});

test("toThresholdForm() refuses topk, where latents compete", () => {
  const sae = randomSae(seededRandom(1), d, m, { activation: { kind: "topk", k: 3 } });
  expect(() => toThresholdForm(sae)).toThrow(UnsupportedError);
});
