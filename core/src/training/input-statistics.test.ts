import { describe, expect, test } from "vitest";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { DataError, ShapeError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix, row, zeros } from "../tensor/matrix.ts";
import { geometricMedian } from "./geometric-median.ts";
import { inputStatistics } from "./input-statistics.ts";
import { shuffledBatches } from "./shuffled-batches.ts";

const data = { seed: 3, windowRows: 128, center: "mean" } as const;

/** Activations around a point away from zero. */
function offCentre(rows: number, d: number): Matrix {
  const x = randomMatrix(seededRandom(11), rows, d, 2);
  for (let i = 0; i < rows; i++) for (let k = 0; k < d; k++) row(x, i)[k] += 5 - k;
  return x;
}

function plainMean(x: Matrix): number[] {
  return Array.from({ length: x.columns }, (_, k) => {
    let sum = 0;
    for (let i = 0; i < x.rows; i++) sum += row(x, i)[k];
    return sum / x.rows;
  });
}

function plainScale(x: Matrix): number {
  return 1 / Math.sqrt(x.values.reduce((sum, value) => sum + value ** 2, 0) / x.rows);
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let k = 0; k < expected.length; k++) expect(actual[k]).toBeCloseTo(expected[k], 5);
}

describe("inputStatistics() of a sample that is smaller than what it looks at", () => {
  const x = offCentre(500, 6);
  const source = activationsInMemory(x);
  const scale = plainScale(x);

  test("gives the scale at which the mean squared length is 1, and the mean of what it scales", async () => {
    const found = await inputStatistics(source, data);
    expect(found.scale).toBeCloseTo(scale, 12);
    expectClose(
      found.center,
      plainMean(x).map((value) => value * scale),
    );
  });

  test("gives the geometric median", async () => {
    const found = await inputStatistics(source, { ...data, center: "geometric-median" });
    expectClose(
      found.center,
      geometricMedian(x).map((value) => value * scale),
    );
  });

  test("gives a centre of zero", async () => {
    const found = await inputStatistics(source, { ...data, center: "zero" });
    expect(found.scale).toBeCloseTo(scale, 12);
    expect(found.center).toEqual(new Float32Array(6));
  });

  test("does not scale when it is not to", async () => {
    const found = await inputStatistics(source, { ...data, scaleInput: false });
    expect(found.scale).toBe(1);
    expectClose(found.center, plainMean(x));
  });
});

test("inputStatistics() looks at the first rows of the shuffled sequence, and the median at fewer", async () => {
  const source = activationsInMemory(offCentre(700, 4));
  const first = async (batchRows: number) => {
    for await (const { activations } of shuffledBatches(source, { ...data, batchRows })) return activations;
    throw new Error("no batch");
  };
  const scale = plainScale(await first(300));
  const mean = await inputStatistics(source, { ...data, rows: 300 });
  expect(mean.scale).toBeCloseTo(scale, 12);
  expectClose(
    mean.center,
    plainMean(await first(300)).map((value) => value * scale),
  );

  const options = { ...data, rows: 300, medianRows: 70 };
  const median = await inputStatistics(source, { ...options, center: "geometric-median" });
  expect(median.scale).toBe(mean.scale);
  expectClose(
    median.center,
    geometricMedian(await first(70)).map((value) => value * scale),
  );
});

test("inputStatistics() gives the same bits every time", async () => {
  const source = activationsInMemory(offCentre(700, 4));
  const options = { ...data, center: "geometric-median", rows: 300, medianRows: 70 } as const;
  const found = await inputStatistics(source, options);
  expect(await inputStatistics(source, options)).toEqual(found);
  expect((await inputStatistics(source, { ...options, seed: 4 })).scale).not.toBe(found.scale);
});

test("inputStatistics() leaves out excluded rows, and others when it may", async () => {
  const x = offCentre(40, 3);
  const excluded = new Uint8Array(40);
  const kept: number[] = [];
  for (let i = 0; i < 40; i++) {
    if (i % 4 === 0) {
      excluded[i] = 1;
      row(x, i).fill(1e9);
    } else if (i === 5) row(x, i)[1] = Number.POSITIVE_INFINITY;
    else kept.push(...row(x, i));
  }
  const source = activationsInMemory(x, { excluded, location: "the sample" });
  const expected = matrix(29, 3, Float32Array.from(kept));
  const found = await inputStatistics(source, { ...data, skipNonFinite: true });
  expect(found.scale).toBeCloseTo(plainScale(expected), 12);
  await expect(inputStatistics(source, data)).rejects.toThrow(/the sample: 1 of rows .* row 5/);
});

test("inputStatistics() refuses activations that say nothing, and to look at no rows", async () => {
  const nothing = activationsInMemory(zeros(50, 3), { location: "the sample" });
  await expect(inputStatistics(nothing, data)).rejects.toThrow(DataError);
  await expect(inputStatistics(nothing, data)).rejects.toThrow(/the sample holds only zeros in 50 rows/);
  const excluded = new Uint8Array(20).fill(1);
  const empty = activationsInMemory(offCentre(20, 3), { excluded, location: "the sample" });
  await expect(inputStatistics(empty, data)).rejects.toThrow(/no usable rows \(of 20\)/);
  await expect(inputStatistics(activationsInMemory(zeros(0, 3)), data)).rejects.toThrow(DataError);
  for (const count of [0, 1.5, Number.NaN]) {
    await expect(inputStatistics(nothing, { ...data, rows: count })).rejects.toThrow(ShapeError);
    await expect(inputStatistics(nothing, { ...data, medianRows: count })).rejects.toThrow(ShapeError);
  }
});
