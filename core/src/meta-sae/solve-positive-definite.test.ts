import fc from "fast-check";
import { expect, test } from "vitest";
import { normal, seededRandom } from "../linalg/random.ts";
import { solvePositiveDefinite } from "./solve-positive-definite.ts";

/** Aᵀ A of a random A [t + 2 × t]. */
function gramOf(t: number, seed: number): number[][] {
  const random = seededRandom(seed);
  const a = Array.from({ length: t + 2 }, () => Array.from({ length: t }, () => normal(random)));
  return Array.from({ length: t }, (_, i) =>
    Array.from({ length: t }, (_, j) => a.reduce((sum, line) => sum + line[i] * line[j], 0)),
  );
}

test("solvePositiveDefinite() finds the x that A was multiplied by", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), fc.integer(), (t, seed) => {
      const a = gramOf(t, seed);
      const x = Array.from({ length: t }, (_, i) => i - 2.5);
      const b = a.map((line) => line.reduce((sum, value, j) => sum + value * x[j], 0));
      const lower = a.map((line, i) => line.slice(0, i + 1));
      const solution = solvePositiveDefinite(lower, b);
      expect(solution).toHaveLength(t);
      x.forEach((value, i) => {
        expect(solution?.[i]).toBeCloseTo(value, 6);
      });
    }),
    { numRuns: 50 },
  );
});

test("solvePositiveDefinite() gives nothing for a matrix that is singular, or nearly", () => {
  expect(solvePositiveDefinite([[0]], [1])).toBeUndefined();
  expect(solvePositiveDefinite([[1], [1, 1]], [1, 1])).toBeUndefined();
  expect(solvePositiveDefinite([[1], [1, 1 + 1e-12]], [1, 1])).toBeUndefined();
  expect(solvePositiveDefinite([[1], [1, 1 + 1e-6]], [1, 1])).toBeDefined();
  expect(solvePositiveDefinite([[1], [2, 1]], [1, 1])).toBeUndefined();
});
