import { expect, test } from "vitest";
import { steer, steeringScalars, warmUpShare } from "./steered-weight.ts";

/** L0s of a model whose L0 follows 100 / weight with a lag of `lag` steps, steered to `target`. */
function steered(weight: number, target: number, { lag, steps }: { lag: number; steps: number }): number[] {
  const scalars = steeringScalars(weight);
  let logL0 = Math.log(250);
  return Array.from({ length: steps }, () => {
    logL0 += (Math.log(100 / scalars.sparsityWeight) - logL0) / lag;
    steer(scalars, Math.exp(logL0), target);
    return Math.exp(logL0);
  });
}

test.each([
  { weight: 0.05, lag: 200 },
  { weight: 0.05, lag: 20 },
  { weight: 3000, lag: 200 },
])("steer() brings a lagging L0 to its target without swinging, from weight $weight at lag $lag", (given) => {
  const path = steered(given.weight, 10, { lag: given.lag, steps: 8000 });
  for (const l0 of path.slice(5000)) expect(Math.abs(l0 / 10 - 1)).toBeLessThan(0.02);
  const crossings = path.filter((l0, i) => i > 0 && l0 > 10 !== path[i - 1] > 10).length;
  expect(crossings).toBeLessThanOrEqual(3);
});

test("steer() leaves the weight alone at the target, and survives an L0 of 0", () => {
  const scalars = steeringScalars(0.5);
  steer(scalars, 10, 10);
  steer(scalars, 10, 10);
  expect(scalars.sparsityWeight).toBe(0.5);
  steer(scalars, 0, 10);
  expect(scalars.sparsityWeight).toBeLessThan(0.5);
  expect(scalars.sparsityWeight).toBeGreaterThan(0);
});

test("warmUpShare() rises linearly to 1", () => {
  expect([1, 2, 4, 9].map((step) => warmUpShare(step, 4))).toEqual([0.25, 0.5, 1, 1]);
  expect(warmUpShare(1, 0)).toBe(1);
});
