import fc from "fast-check";
import { expect, test } from "vitest";
import { ShapeError } from "../errors.ts";
import { normal, seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix, rowRange } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import {
  addBatch,
  emptyReconstructionSums,
  mergeReconstructionSums,
  type ReconstructionSums,
  reconstructionMetrics,
  varianceFormulas,
} from "./reconstruction.ts";

interface Sample {
  readonly x: Matrix;
  readonly residual: Matrix;
  readonly code: SparseCode;
}

function sampleOf(
  rows: number,
  d: number,
  m: number,
  seed: number,
  { offset = 0, deviation = 1 } = {},
): Sample {
  const random = seededRandom(seed);
  const x = Float32Array.from({ length: rows * d }, () => offset + deviation * normal(random));
  const residual = Float32Array.from({ length: rows * d }, () => 0.1 + 0.3 * normal(random));
  const offsets = Int32Array.of(0, ...new Int32Array(rows));
  const indices: number[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 1; j < m; j++) if (random() < j / m) indices.push(j);
    offsets[i + 1] = indices.length;
  }
  const code = {
    rows,
    columns: m,
    offsets,
    indices: Int32Array.from(indices),
    values: new Float32Array(indices.length).fill(1),
  };
  return { x: matrix(rows, d, x), residual: matrix(rows, d, residual), code };
}

/** Rows `start` to `end`; the code keeps its entries, so that its offsets begin above zero, as a view's would. */
function part({ x, residual, code }: Sample, start: number, end: number): Sample {
  return {
    x: rowRange(x, start, end),
    residual: rowRange(residual, start, end),
    code: { ...code, rows: end - start, offsets: code.offsets.slice(start, end + 1) },
  };
}

function sumsOf(sample: Sample, cuts: readonly number[] = []): ReconstructionSums {
  const sums = emptyReconstructionSums(sample.x.columns, sample.code.columns);
  const edges = [0, ...cuts, sample.x.rows];
  for (let i = 1; i < edges.length; i++) {
    const { x, residual, code } = part(sample, edges[i - 1], edges[i]);
    addBatch(sums, x, residual, code);
  }
  return sums;
}

const rowsOf = (m: Matrix) =>
  Array.from({ length: m.rows }, (_, i) => [...m.values.slice(i * m.columns, (i + 1) * m.columns)]);
const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const columnAverages = (rows: readonly number[][]) => rows[0].map((_, c) => average(rows.map((r) => r[c])));
const squaredDistance = (a: readonly number[], b: readonly number[]) =>
  a.reduce((total, value, c) => total + (value - b[c]) ** 2, 0);
const variance = (rows: readonly number[][]) => {
  const means = columnAverages(rows);
  return rows.reduce((total, r) => total + squaredDistance(r, means), 0) / (rows.length - 1);
};

/** Every formula as its publisher writes it, batch by batch. */
function plainMetrics(sample: Sample, cuts: readonly number[]) {
  const x = rowsOf(sample.x);
  const r = rowsOf(sample.residual);
  const zero = x[0].map(() => 0);
  const mean = columnAverages(x);
  const sse = r.reduce((total, row) => total + squaredDistance(row, zero), 0);
  const edges = [0, ...cuts, x.length];
  const perToken: number[] = [];
  const perBatch: number[] = [];
  for (let b = 1; b < edges.length; b++) {
    const xs = x.slice(edges[b - 1], edges[b]);
    const rs = r.slice(edges[b - 1], edges[b]);
    const batchMean = columnAverages(xs);
    xs.forEach((row, i) => {
      perToken.push(1 - squaredDistance(rs[i], zero) / squaredDistance(row, batchMean));
    });
    perBatch.push(1 - variance(rs) / variance(xs));
  }
  const meanSquare = average(x.map((row) => squaredDistance(row, zero)));
  const meanElement = average(x.flat().map((value) => value * value));
  return {
    sse,
    mean,
    standard: 1 - sse / x.reduce((total, row) => total + squaredDistance(row, mean), 0),
    "dictionary-learning": average(perBatch),
    "saelens-legacy": average(perToken),
    "saelens-about-zero": 1 - sse / x.length / (meanSquare - meanElement ** 2),
    meanResidual: columnAverages(r),
  };
}

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++) expect(found[i]).toBeCloseTo(expected[i], 12);
}

test("reconstructionMetrics() agrees with each formula computed plainly", () => {
  const sample = sampleOf(60, 5, 7, 1, { offset: 0.7 });
  const cuts = [10, 33];
  const metrics = reconstructionMetrics(sumsOf(sample, cuts));
  const plain = plainMetrics(sample, cuts);
  expect(metrics.tokens).toBe(60);
  expect(metrics.sse).toBeCloseTo(plain.sse, 10);
  expect(metrics.ssePerToken).toBeCloseTo(plain.sse / 60, 12);
  expect(metrics.mse).toBeCloseTo(plain.sse / 300, 12);
  for (const formula of varianceFormulas)
    expect(metrics.varianceExplainedBy[formula]).toBeCloseTo(plain[formula], 12);
  expect(metrics.varianceExplained).toBe(metrics.varianceExplainedBy.standard);
  expectClose(metrics.mean, plain.mean);
  expectClose(metrics.meanResidual, plain.meanResidual);
  const counts = [0, 1, 2, 3, 4, 5, 6].map((j) => sample.code.indices.filter((index) => index === j).length);
  expect([...metrics.density]).toEqual(counts.map((count) => count / 60));
  expect(metrics.l0).toBeCloseTo(sample.code.indices.length / 60, 12);
  expect(metrics.deadShare).toBeCloseTo(1 / 7, 12);
});

test("the four variance formulas tell different numbers on the same sums", () => {
  const { varianceExplainedBy } = reconstructionMetrics(
    sumsOf(sampleOf(60, 5, 7, 1, { offset: 0.7 }), [10, 33]),
  );
  expect(new Set(Object.values(varianceExplainedBy).map((value) => value.toFixed(3))).size).toBe(4);
});

test("mergeReconstructionSums() of two halves equals the whole, wherever the sample is cut", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 38 }), fc.integer({ min: 0, max: 1000 }), (cut, seed) => {
      const sample = sampleOf(40, 3, 4, seed, { offset: 5 });
      const whole = reconstructionMetrics(sumsOf(sample, [cut]));
      const a = sumsOf(part(sample, 0, cut));
      const b = sumsOf(part(sample, cut, 40));
      for (const merged of [mergeReconstructionSums(a, b), mergeReconstructionSums(b, a)]) {
        const metrics = reconstructionMetrics(merged);
        for (const formula of varianceFormulas) {
          const expected = whole.varianceExplainedBy[formula];
          const error = Math.abs(metrics.varianceExplainedBy[formula] - expected);
          expect(error).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(expected)));
        }
        expect(metrics.sse / whole.sse).toBeCloseTo(1, 12);
        expect(metrics.density).toEqual(whole.density);
        expectClose(metrics.meanResidual, whole.meanResidual);
      }
      expect(a).toEqual(sumsOf(part(sample, 0, cut)));
    }),
  );
});

test("mergeReconstructionSums() with empty sums changes nothing", () => {
  const sums = sumsOf(sampleOf(9, 3, 4, 2));
  expect(mergeReconstructionSums(sums, emptyReconstructionSums(3, 4))).toEqual(sums);
  expect(mergeReconstructionSums(emptyReconstructionSums(3, 4), sums)).toEqual(sums);
});

test("reconstructionMetrics() keeps its accuracy when the mean is 1e4 standard deviations away", () => {
  const sample = sampleOf(2000, 4, 2, 3, { offset: 1e4 });
  const cuts = Array.from({ length: 39 }, (_, i) => 50 * (i + 1));
  const exact = plainMetrics(sample, cuts);
  const { varianceExplainedBy } = reconstructionMetrics(sumsOf(sample, cuts));
  expect(Math.abs(varianceExplainedBy.standard / exact.standard - 1)).toBeLessThan(1e-10);
  expect(
    Math.abs(varianceExplainedBy["dictionary-learning"] / exact["dictionary-learning"] - 1),
  ).toBeLessThan(1e-10);
  expect(Math.abs(varianceExplainedBy["saelens-legacy"] / exact["saelens-legacy"] - 1)).toBeLessThan(1e-10);
});

test("addBatch() leaves batches of one row and tokens at their batch's mean out of the legacy means", () => {
  const sums = emptyReconstructionSums(1, 1);
  const none = (rows: number): SparseCode => ({
    rows,
    columns: 1,
    offsets: new Int32Array(rows + 1),
    indices: new Int32Array(0),
    values: new Float32Array(0),
  });
  addBatch(sums, matrix(1, 1, Float32Array.of(9)), matrix(1, 1, Float32Array.of(1)), none(1));
  addBatch(sums, matrix(0, 1, new Float32Array(0)), matrix(0, 1, new Float32Array(0)), none(0));
  expect(reconstructionMetrics(sums).varianceExplainedBy["saelens-legacy"]).toBeNaN();
  addBatch(
    sums,
    matrix(3, 1, Float32Array.of(1, 2, 3)),
    matrix(3, 1, Float32Array.of(0.5, 0.5, 0.5)),
    none(3),
  );
  const { varianceExplainedBy, tokens, deadShare } = reconstructionMetrics(sums);
  expect(varianceExplainedBy["saelens-legacy"]).toBe(0.75);
  expect(varianceExplainedBy["dictionary-learning"]).toBe(1);
  expect(tokens).toBe(4);
  expect(deadShare).toBe(1);
});

test("reconstructionMetrics() of no tokens is NaN, not zero", () => {
  const metrics = reconstructionMetrics(emptyReconstructionSums(2, 3));
  const { mse, varianceExplained, l0, deadShare } = metrics;
  expect([mse, varianceExplained, l0, deadShare]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  expect(metrics.tokens).toBe(0);
});

test("addBatch() and mergeReconstructionSums() refuse shapes that do not fit", () => {
  const { x, residual, code } = sampleOf(4, 3, 2, 5);
  expect(() => addBatch(emptyReconstructionSums(2, 2), x, residual, code)).toThrow(ShapeError);
  expect(() => addBatch(emptyReconstructionSums(3, 5), x, residual, code)).toThrow(ShapeError);
  expect(() => addBatch(emptyReconstructionSums(3, 2), x, rowRange(residual, 0, 3), code)).toThrow(
    ShapeError,
  );
  expect(() => mergeReconstructionSums(emptyReconstructionSums(3, 2), emptyReconstructionSums(3, 4))).toThrow(
    ShapeError,
  );
});
