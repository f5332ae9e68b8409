import { describe, expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { poolOf, randomTokens } from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { seededRandom } from "../linalg/random.ts";
import { floorFinder } from "./match-l0.ts";
import { leastActivations, restrictCode } from "./restrict-code.ts";

const random = seededRandom(1);
const pool = poolOf(random, [randomMatrix(random, 7, 4), randomMatrix(random, 5, 4)]);
const tokens = randomTokens(random, pool, 50, 0.5);
const latents = Int32Array.from([1, 2, 5, 8, 11]);
const norm = (id: number) => Math.sqrt(pool.normsSquared[id]);
const dense = denseCode(tokens.code);

describe("restrictCode()", () => {
  test("keeps the chosen latents, renumbered, and only activations stronger than the floor", () => {
    for (const floor of [0, 0.3, 0.9, 100]) {
      const kept = denseCode(restrictCode(tokens, pool, latents, floor));
      const least = leastActivations(pool, latents, floor);
      dense.forEach((row, i) => {
        latents.forEach((id, p) => {
          const own = row[id] / tokens.outputScale[i];
          expect(kept[i][p]).toBe(own * norm(id) > floor ? row[id] : 0);
          expect(least[p]).toBeCloseTo(floor / norm(id), 5);
        });
      });
    }
  });
});

describe("floorFinder()", () => {
  const entries = dense.flatMap((row, i) =>
    Array.from(latents).flatMap((id) => (row[id] > 0 ? [(row[id] / tokens.outputScale[i]) * norm(id)] : [])),
  );
  const finder = floorFinder(tokens, pool, latents);

  test("finds the lowest floor at which L0 is what was asked for", () => {
    expect(finder.l0At(0)).toBe(entries.length / 50);
    for (const l0 of [0.02, 0.5, 1, 1.53]) {
      const floor = finder.floorFor(l0);
      const { indices } = restrictCode(tokens, pool, latents, floor);
      expect(indices.length).toBe(Math.floor(l0 * 50));
      expect(finder.l0At(floor)).toBe(indices.length / 50);
      expect(entries.filter((strength) => strength > floor)).toHaveLength(indices.length);
    }
  });

  test("needs no floor where L0 is lower already", () => {
    expect(finder.floorFor(entries.length / 50)).toBe(0);
    expect(finder.floorFor(1000)).toBe(0);
  });

  test("drops all of equal strength rather than exceed the L0", () => {
    const values = tokens.code.values.map(() => 1);
    const unit = { ...pool, normsSquared: new Float64Array(12).fill(1) };
    const equal = { ...tokens, outputScale: new Float32Array(50).fill(1), code: { ...tokens.code, values } };
    const { floorFor } = floorFinder(equal, unit, latents);
    expect(restrictCode(equal, unit, latents, floorFor(1)).indices).toHaveLength(0);
  });
});
