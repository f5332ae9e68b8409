import { expect, test } from "vitest";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import { unionOfBases } from "./directions.ts";

test("unionOfBases() gives unit directions, orthogonal within each basis, a basis ending where the next group does not fit", () => {
  const directions = unionOfBases([3, 4, 3, 5, 3], 8, seededRandom(1));
  const cosine = (i: number, j: number) =>
    row(directions, i).reduce((sum, value, c) => sum + value * row(directions, j)[c], 0);
  const basisOf = (i: number) => (i < 7 ? 0 : i < 15 ? 1 : 2);
  let across = 0;
  for (let i = 0; i < 18; i++)
    for (let j = 0; j <= i; j++) {
      const sameBasis = basisOf(i) === basisOf(j);
      if (sameBasis) expect(cosine(i, j)).toBeCloseTo(i === j ? 1 : 0, 6);
      else across = Math.max(across, Math.abs(cosine(i, j)));
    }
  expect(across).toBeGreaterThan(0.3);
});
