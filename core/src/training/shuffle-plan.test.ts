import fc from "fast-check";
import { expect, test } from "vitest";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { planShuffle } from "./shuffle-plan.ts";

test("planShuffle() puts every row into one window of a pass, and none into a window that is too large", () => {
  const sizes = fc.record({
    rows: fc.integer({ min: 0, max: 20000 }),
    windowRows: fc.integer({ min: 40, max: 30000 }),
    pass: fc.nat(3),
  });
  fc.assert(
    fc.property(sizes, ({ rows, windowRows, pass }) => {
      const plan = planShuffle(rows, { seed: 5, windowRows });
      const times = new Uint8Array(rows);
      for (let window = 0; window < plan.windows; window++) {
        let size = 0;
        let last = -1;
        for (const { start, end } of plan.runs(pass, window)) {
          expect(start).toBeGreaterThan(last);
          for (let row = start; row < end; row++) times[row]++;
          size += end - start;
          last = end;
        }
        expect(size).toBeLessThanOrEqual(Math.min(windowRows, plan.mostRows));
      }
      expect(times.every((count) => count === 1)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("planShuffle() gives all windows about as many rows, though a few would be left for the last", () => {
  const plan = planShuffle(10 * 16384 + 300, { seed: 1, windowRows: 16384 });
  const sizes = Array.from({ length: plan.windows }, (_, window) =>
    plan.runs(0, window).reduce((sum, { start, end }) => sum + end - start, 0),
  );
  expect(plan.windows).toBe(11);
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(2 * 256);
});

test("planShuffle() reads a window in pieces of a few hundred rows, from all over the sample", () => {
  const rows = 2 ** 20;
  const plan = planShuffle(rows, { seed: 1, windowRows: 2 ** 15 });
  const runs = plan.runs(2, 7);
  expect(Math.min(...runs.map(({ start, end }) => end - start))).toBeGreaterThanOrEqual(256);
  expect(runs.length).toBeGreaterThan(100);
  const tenths = new Set(runs.map(({ start }) => Math.floor((start * 10) / rows)));
  expect(tenths.size).toBe(10);
});

test("planShuffle() mixes other places in every pass, and for every seed", () => {
  const plan = planShuffle(2 ** 20, { seed: 1, windowRows: 2 ** 15 });
  const starts = new Set(plan.runs(0, 0).map(({ start }) => start));
  const other = planShuffle(2 ** 20, { seed: 2, windowRows: 2 ** 15 });
  for (const runs of [plan.runs(1, 0), plan.runs(0, 1), other.runs(0, 0)]) {
    // 4 of the 128 segments are expected to come again in another pass.
    expect(runs.filter(({ start }) => starts.has(start)).length).toBeLessThan(16);
  }
});

test("planShuffle() reads a sample that fits into one window in one piece", () => {
  expect(planShuffle(5000, { seed: 1, windowRows: 5120 }).runs(4, 0)).toEqual([{ start: 0, end: 5000 }]);
});

test("planShuffle() orders the rows of each pass and window in a way of its own", () => {
  const plan = planShuffle(4096, { seed: 8, windowRows: 1024 });
  const orders = [0, 1].flatMap((pass) => [0, 1].map((window) => plan.order(pass, window, 100).join(" ")));
  orders.push(planShuffle(4096, { seed: 9, windowRows: 1024 }).order(0, 0, 100).join(" "));
  expect(new Set(orders).size).toBe(5);
  for (const order of orders)
    expect(
      order
        .split(" ")
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 100 }, (_, i) => i));
});

test("planShuffle() refuses sizes and seeds that are no integers", () => {
  for (const windowRows of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => planShuffle(10, { seed: 1, windowRows })).toThrow(ShapeError);
  for (const seed of [0.5, Number.NaN])
    expect(() => planShuffle(10, { seed, windowRows: 4 })).toThrow(UnsupportedError);
});
