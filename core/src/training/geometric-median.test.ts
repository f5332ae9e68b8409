import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { DataError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix, row, zeros } from "../tensor/matrix.ts";
import { geometricMedian } from "./geometric-median.ts";

/** Settings with which only rounding is left. */
const exact = { iterations: 5000, tolerance: 1e-13 };

const rowsOf = (rows: number[][]) => matrix(rows.length, rows[0].length, Float32Array.from(rows.flat()));

/** How the sum of distances to the rows changes about `point`: the sum of the unit vectors to all rows but those within `near` of it, and the number of these. */
function pullAt(rows: Matrix, point: ArrayLike<number>, near: number) {
  const pull = new Array<number>(rows.columns).fill(0);
  let met = 0;
  for (let i = 0; i < rows.rows; i++) {
    const difference = Array.from(row(rows, i), (value, k) => value - point[k]);
    const distance = Math.hypot(...difference);
    if (distance <= near) met++;
    else
      difference.forEach((value, k) => {
        pull[k] += value / distance;
      });
  }
  return { pull: Math.hypot(...pull), met };
}

test("geometricMedian() is where the rows pull equally from all sides", () => {
  const shapes = fc.record({
    seed: fc.nat(1000),
    rows: fc.integer({ min: 5, max: 60 }),
    columns: fc.integer({ min: 2, max: 9 }),
  });
  fc.assert(
    fc.property(shapes, ({ seed, rows, columns }) => {
      const x = randomMatrix(seededRandom(seed), rows, columns, 3);
      const { pull, met } = pullAt(x, geometricMedian(x, exact), 1e-7);
      expect(pull).toBeLessThanOrEqual(met + 1e-4);
    }),
    { numRuns: 60 },
  );
});

test("geometricMedian() comes close by itself", () => {
  const x = randomMatrix(seededRandom(4), 400, 16);
  for (let k = 0; k < 16; k++) for (let i = 0; i < 40; i++) row(x, i)[k] += 1000 * (k + 1);
  const loose = geometricMedian(x);
  const tight = geometricMedian(x, exact);
  expect(Math.hypot(...loose.map((value, k) => value - tight[k]))).toBeLessThan(1e-3);
  // A tenth of the rows lies far away and moves the mean by 100 and more.
  expect(Math.max(...loose.map(Math.abs))).toBeLessThan(1);
});

describe("geometricMedian() finds", () => {
  test("the middle of three on a line", () => {
    const median = geometricMedian(rowsOf([[0], [1], [10]]), exact);
    expect(median[0]).toBeCloseTo(1, 6);
  });

  test("where the diagonals of four corners cross", () => {
    // The diagonals from (0, 0) to (4, 4) and from (4, 0) to (1, 3) meet at (2, 2).
    const median = geometricMedian(
      rowsOf([
        [0, 0],
        [4, 4],
        [4, 0],
        [1, 3],
      ]),
      exact,
    );
    expect(median[0]).toBeCloseTo(2, 6);
    expect(median[1]).toBeCloseTo(2, 6);
  });

  test("the row that most rows equal", () => {
    const rows = [
      [2, 5],
      [2, 5],
      [2, 5],
      [9, -3],
      [-4, 1],
    ];
    const median = geometricMedian(rowsOf(rows), exact);
    expect(median[0]).toBeCloseTo(2, 6);
    expect(median[1]).toBeCloseTo(5, 6);
  });

  test("rows that are all the same, or just one", () => {
    expect([
      ...geometricMedian(
        rowsOf([
          [0.5, -2],
          [0.5, -2],
          [0.5, -2],
        ]),
      ),
    ]).toEqual([0.5, -2]);
    expect([...geometricMedian(rowsOf([[7, 8, 9]]))]).toEqual([7, 8, 9]);
  });
});

test("geometricMedian() leaves a row that it meets but that is not the median", () => {
  // The mean of these is (0, 0), which is a row; three of the others lie to its right, together.
  const x = rowsOf([
    [0, 0],
    [1, 0],
    [1.5, 0],
    [2, 0],
    [-4.5, 0],
  ]);
  const { pull, met } = pullAt(x, [0, 0], 0);
  expect([pull, met]).toEqual([2, 1]);
  // Half of Weiszfeld's step, by Vardi and Zhang: the row resists with half the pull.
  const weight = 1 + 1 / 1.5 + 1 / 2 + 1 / 4.5;
  expect(geometricMedian(x, { iterations: 1 })[0]).toBeCloseTo((0.5 * 2) / weight, 12);
  expect(geometricMedian(x, exact)[0]).toBeCloseTo(1, 6);
});

test("geometricMedian() stays on a row that it meets and that is the median", () => {
  const x = rowsOf([
    [0, 0],
    [3, 0],
    [-3, 0],
    [0, 2],
    [0, -2],
  ]);
  expect([...geometricMedian(x, exact)]).toEqual([0, 0]);
});

test("geometricMedian() does as many iterations as it may", () => {
  const x = rowsOf([
    [0, 0],
    [3, 0],
    [0, 9],
  ]);
  expect([...geometricMedian(x, { iterations: 0 })]).toEqual([1, 3]);
  const once = geometricMedian(x, { iterations: 1, tolerance: 0 });
  // One step of Weiszfeld from (1, 3), written out.
  const distances = [Math.hypot(1, 3), Math.hypot(2, 3), Math.hypot(1, 6)];
  const weight = distances.reduce((sum, distance) => sum + 1 / distance, 0);
  expect(once[0]).toBeCloseTo(3 / distances[1] / weight, 12);
  expect(once[1]).toBeCloseTo(9 / distances[2] / weight, 12);
});

test("geometricMedian() refuses no rows, and rows that are not finite", () => {
  expect(() => geometricMedian(zeros(0, 3))).toThrow(DataError);
  expect(() => geometricMedian(rowsOf([[1], [Number.NaN]]))).toThrow(DataError);
  expect(() => geometricMedian(rowsOf([[1], [Number.NEGATIVE_INFINITY]]))).toThrow(/2 rows/);
});
