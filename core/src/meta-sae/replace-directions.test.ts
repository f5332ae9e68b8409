import { expect, test } from "vitest";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { ShapeError } from "../errors.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { dot } from "../linalg/dot.ts";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import { randomDirections } from "./random-directions.ts";
import { replaceByNearest, replaceDirections } from "./replace-directions.ts";

test("replaceByNearest() gives every meta-latent the candidate with the highest cosine, and changes nothing else", async () => {
  const random = seededRandom(6);
  const metaSae = randomSae(random, 4, 12);
  const candidates = randomDirections(5, 4, random);
  const replaced = await replaceByNearest(metaSae, candidates, referenceKernels);
  expect({ ...replaced, decoder: metaSae.decoder }).toEqual(metaSae);
  for (let j = 0; j < 12; j++) {
    const cosines = Array.from({ length: 5 }, (_, i) => dot(row(metaSae.decoder, j), row(candidates, i)));
    expect(row(replaced.decoder, j)).toEqual(row(candidates, cosines.indexOf(Math.max(...cosines))));
  }
});

test("replaceDirections() refuses directions of another shape", () => {
  const random = seededRandom(6);
  const metaSae = randomSae(random, 4, 12);
  expect(() => replaceDirections(metaSae, randomMatrix(random, 11, 4))).toThrow(ShapeError);
  expect(() => replaceDirections(metaSae, randomMatrix(random, 12, 5))).toThrow(ShapeError);
});

test("randomDirections() have length 1 and lean nowhere", () => {
  const directions = randomDirections(2000, 8, seededRandom(1));
  const mean = new Float64Array(8);
  for (let i = 0; i < directions.rows; i++) {
    expect(dot(row(directions, i), row(directions, i))).toBeCloseTo(1, 5);
    row(directions, i).forEach((value, c) => {
      mean[c] += value / directions.rows;
    });
  }
  for (const value of mean) expect(Math.abs(value)).toBeLessThan(0.04);
});
