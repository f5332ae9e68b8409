import { expect, test } from "vitest";
import { everyActivation, randomSae } from "../../test-support/random-saes.ts";
import { DataError, ShapeError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { zeros } from "../tensor/matrix.ts";
import { checkSae } from "./check-sae.ts";
import type { Sae } from "./sae.ts";

const good = randomSae(seededRandom(1), 5, 8);
const gated = everyActivation(seededRandom(2), 8)[4];

test("checkSae() accepts an SAE of every activation", () => {
  for (const activation of everyActivation(seededRandom(1), 8)) checkSae({ ...good, activation });
});

test.each<[string, Partial<Sae>, RegExp]>([
  ["no latents", { encoder: zeros(0, 5) }, /encoder of 0 × 5/],
  ["a decoder of another width", { decoder: zeros(8, 6) }, /decoder of .* is 8 × 6, expected 8 × 5/],
  [
    "values that do not fill a matrix",
    { decoder: { rows: 8, columns: 5, values: new Float32Array(39) } },
    /39 values/,
  ],
  ["a short encoder bias", { encoderBias: new Float32Array(7) }, /encoder bias of .* 7 values, expected 8/],
  ["a long decoder bias", { decoderBias: new Float32Array(6) }, /decoder bias/],
  ["a long input bias", { inputBias: new Float32Array(6) }, /input bias/],
  ["a short threshold", { activation: { kind: "jumprelu", threshold: new Float32Array(1) } }, /threshold/],
  ["more kept latents than there are", { activation: { kind: "topk", k: 9 } }, /9 largest of 8/],
  ["a k that is no integer", { activation: { kind: "topk", k: 1.5 } }, /1\.5 largest/],
])("checkSae() refuses %s", (_, change, message) => {
  const check = () => checkSae({ ...good, ...change });
  expect(check).toThrow(ShapeError);
  expect(check).toThrow(message);
});

test("checkSae() refuses to take a deviation of one number", () => {
  const narrow = randomSae(seededRandom(1), 1, 8, { normalization: { kind: "layer-norm" } });
  expect(() => checkSae(narrow)).toThrow(ShapeError);
});

test("checkSae() names the tensor, the number of values that are not finite, and the first", () => {
  const decoder = zeros(8, 5);
  decoder.values[13] = Number.NaN;
  decoder.values[20] = -Infinity;
  const check = () => checkSae({ ...good, decoder });
  expect(check).toThrow(DataError);
  expect(check).toThrow(/The decoder of .* holds 2 values that are not finite, .* NaN at \[2, 3\]/);
});

test.each<[string, Partial<Sae>]>([
  ["an infinite threshold", { activation: { kind: "batchtopk", threshold: Infinity } }],
  [
    "a magnitude scale of zero",
    { activation: { ...gated, magnitudeScale: new Float32Array(8) } as Sae["activation"] },
  ],
  ["an input factor of zero", { normalization: { kind: "expected-average", factor: 0 } }],
])("checkSae() refuses %s", (_, change) => {
  expect(() => checkSae({ ...good, ...change })).toThrow(DataError);
});
