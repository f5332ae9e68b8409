import { expect, test } from "vitest";
import { randomSae } from "../../test-support/random-saes.ts";
import { seededRandom } from "../linalg/random.ts";
import type { Activation } from "./sae.ts";
import { selectionOf } from "./selection.ts";

const magnitudeScale = Float32Array.of(1, 2, 3);
const magnitudeOffset = Float32Array.of(0, -1, 1);

test.each<[Activation, unknown]>([
  [{ kind: "relu" }, { kind: "threshold", threshold: [0, 0, 0] }],
  [
    { kind: "jumprelu", threshold: Float32Array.of(-1, 0.5, 0) },
    { kind: "threshold", threshold: [0, 0.5, 0] },
  ],
  [
    { kind: "topk", k: 2 },
    { kind: "top", count: 2 },
  ],
  [
    { kind: "batchtopk", threshold: 0.25 },
    { kind: "threshold", threshold: [0.25, 0.25, 0.25] },
  ],
  [
    { kind: "batchtopk", threshold: -1 },
    { kind: "threshold", threshold: [0, 0, 0] },
  ],
  [
    { kind: "gated", magnitudeScale, magnitudeOffset },
    { kind: "threshold", threshold: [0, 0, 0], scale: [...magnitudeScale], offset: [...magnitudeOffset] },
  ],
])("selectionOf() of %j has no threshold below zero", (activation, wanted) => {
  const selection = selectionOf(randomSae(seededRandom(1), 4, 3, { activation }));
  const plain = Object.entries(selection).map(([key, value]) => [
    key,
    value instanceof Float32Array ? [...value] : value,
  ]);
  expect(Object.fromEntries(plain)).toEqual(wanted);
});
