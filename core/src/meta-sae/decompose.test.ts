import { expect, test } from "vitest";
import { plainForward } from "../../test-support/plain-forward.ts";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import { transposeCode } from "../tensor/transpose-code.ts";
import { decompose, explainDirections, strongestParts } from "./decompose.ts";

const random = seededRandom(4);
const metaSae = randomSae(random, 6, 10, { activation: { kind: "batchtopk", threshold: 0.3 } });
const directions = randomMatrix(random, 20, 6);
const plain = plainForward(metaSae, directions);

test("strongestParts() lists what a direction is made of, strongest first", async () => {
  const code = await decompose(metaSae, directions, referenceKernels);
  plain.forEach(({ code: strengths }, i) => {
    const expected = strengths
      .map((strength, index) => ({ index, strength }))
      .filter(({ strength }) => strength > 0)
      .sort((a, b) => b.strength - a.strength);
    const parts = strongestParts(code, i);
    expect(parts.map(({ index }) => index)).toEqual(expected.map(({ index }) => index));
    parts.forEach(({ strength }, p) => {
      expect(strength).toBeCloseTo(expected[p].strength, 4);
    });
    expect(strongestParts(code, i, 2)).toEqual(parts.slice(0, 2));
  });
});

test("strongestParts() of the transposed code lists the directions of a meta-latent", async () => {
  const code = transposeCode(await decompose(metaSae, directions, referenceKernels));
  for (let j = 0; j < 10; j++) {
    const users = plain.map(({ code: strengths }, index) => ({ index, strength: strengths[j] }));
    const expected = users.filter(({ strength }) => strength > 0).sort((a, b) => b.strength - a.strength);
    expect(strongestParts(code, j).map(({ index }) => index)).toEqual(expected.map(({ index }) => index));
  }
});

test("strongestParts() puts equal strengths in the order of their index", () => {
  const code = {
    rows: 1,
    columns: 4,
    offsets: Int32Array.of(0, 3),
    indices: Int32Array.of(0, 2, 3),
    values: Float32Array.of(1, 2, 2),
  };
  expect(strongestParts(code, 0).map(({ index }) => index)).toEqual([2, 3, 0]);
});

test("explainDirections() measures what the meta-SAE reconstructs", async () => {
  let error = 0;
  plain.forEach(({ reconstruction }, i) => {
    row(directions, i).forEach((value, c) => {
      error += (value - reconstruction[c]) ** 2;
    });
  });
  const fit = await explainDirections(metaSae, directions, referenceKernels);
  expect(fit.mse).toBeCloseTo(error / directions.values.length, 5);
});
