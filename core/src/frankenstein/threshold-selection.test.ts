import { describe, expect, test } from "vitest";
import { plainRows, poolOf } from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { latentsOf } from "./latent-pool.ts";
import { selectByThreshold } from "./threshold-selection.ts";

const random = seededRandom(1);
const pool = poolOf(
  random,
  [5, 12, 20].map((latents) => randomMatrix(random, latents, 4)),
);
const rows = plainRows(pool.directions);

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, c) => sum + value * y[c], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** The recipe as it is told, SAE by SAE. */
function plain(threshold: number, saes = 3): number[] {
  const collected = Array.from(latentsOf(pool, 0));
  for (let s = 1; s < saes; s++) {
    const before = [...collected];
    for (const id of latentsOf(pool, s))
      if (Math.max(...before.map((other) => cosine(rows[id], rows[other]))) < threshold) collected.push(id);
  }
  return collected;
}

describe("selectByThreshold()", () => {
  test("collects the first SAE and what is unlike all earlier ones of the next", async () => {
    for (const threshold of [0.5, 0.7, 0.9])
      expect(Array.from(await selectByThreshold(pool, kernels, { cosine: threshold }))).toEqual(
        plain(threshold),
      );
    expect(Array.from(await selectByThreshold(pool, kernels))).toEqual(plain(0.7));
    expect(Array.from(await selectByThreshold(pool, kernels, { saes: 2 }))).toEqual(plain(0.7, 2));
    expect(plain(0.9).length).toBeGreaterThan(plain(0.5).length);
  });

  test("meets a budget with the least similar latents of the SAE at which it runs out", async () => {
    const whole = plain(0.9);
    const second = whole.filter((id) => id >= pool.starts[1] && id < pool.starts[2]);
    const similarity = (id: number) => Math.max(...rows.slice(0, 5).map((other) => cosine(rows[id], other)));
    const least = second.toSorted((a, b) => similarity(a) - similarity(b)).slice(0, 3);
    expect(Array.from(await selectByThreshold(pool, kernels, { cosine: 0.9, latents: 8 }))).toEqual(
      [...latentsOf(pool, 0), ...least].sort((a, b) => a - b),
    );
  });

  test("refuses a budget below the first SAE", async () => {
    await expect(selectByThreshold(pool, kernels, { latents: 4 })).rejects.toThrow(
      /whole first SAE, which has 5/,
    );
  });
});
