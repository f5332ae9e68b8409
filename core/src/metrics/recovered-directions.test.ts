import { expect, test } from "vitest";
import { randomSae } from "../../test-support/random-saes.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import type { Sae } from "../sae/sae.ts";
import { matrix } from "../tensor/matrix.ts";
import { recoveredDirections, trueNovelty } from "./recovered-directions.ts";

/** An SAE in the plane whose directions have these angles, in degrees. */
function saeAt(...degrees: number[]): Sae {
  return { ...randomSae(seededRandom(1), 2, degrees.length), decoder: at(...degrees) };
}

function at(...degrees: number[]) {
  const angles = degrees.map((degree) => (degree * Math.PI) / 180);
  return matrix(
    degrees.length,
    2,
    Float32Array.from(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)])),
  );
}

/** cos 25° = 0.906, cos 27° = 0.891. */
const truth = at(0, 90, 180);

test("recoveredDirections() counts the true directions that some latent has a cosine above 0.9 to", async () => {
  const found = await recoveredDirections(truth, saeAt(-25, 100, 117, 95), referenceKernels);
  const cosines = [25, 5, 63].map((degree) => Math.cos((degree * Math.PI) / 180));
  expect(found.isRecovered).toEqual([true, true, false]);
  found.cosines.forEach((cosine, t) => {
    expect(cosine).toBeCloseTo(cosines[t], 5);
  });
  expect([found.recovered, found.share]).toEqual([2, 2 / 3]);
  expect(found.meanCosine).toBeCloseTo((cosines[0] + cosines[1] + cosines[2]) / 3, 5);
});

test("recoveredDirections() takes the opposite of a true direction for another one", async () => {
  const { recovered } = await recoveredDirections(at(0), saeAt(180), referenceKernels);
  expect(recovered).toBe(0);
});

test("trueNovelty() is known where the smaller has recovered what a latent stands for, none where it stands for nothing", async () => {
  const pair = { smaller: saeAt(25, 117), larger: saeAt(-20, 70, 45, 200, 63) };
  expect(await trueNovelty(truth, pair, referenceKernels)).toEqual([
    "known",
    "novel",
    "none",
    "novel",
    "none",
  ]);
});
