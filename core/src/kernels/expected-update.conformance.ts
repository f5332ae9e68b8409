import { type Matrix, row } from "../tensor/matrix.ts";
import type { AdamMoments, AdamStep, GradientTerm } from "./kernels.ts";

/** What `Kernels.update` changes, or a copy of it. */
export interface Updated {
  readonly weights: Matrix;
  readonly moments: AdamMoments;
}

/** Numbers in float64, and how far those computed in float32 may be from them. */
interface Expected {
  readonly values: Float64Array;
  readonly errors: Float64Array;
}

const ROUNDING = 2 ** -24;
/** Implementations may take a smaller number for zero. */
const SMALLEST_NORMAL = 2 ** -126;

/** Fails unless `after` is what the step makes of `before`, computed in float64 row by row. */
export function expectUpdated(
  after: Updated,
  before: Updated,
  gradient: readonly GradientTerm[],
  adam: AdamStep,
  unitRows: boolean,
): void {
  for (let j = 0; j < before.weights.rows; j++) {
    const weights = row(before.weights, j);
    const summed = gradientOfRow(gradient, j, weights.length);
    const g = unitRows ? withoutParallel(summed, weights) : summed;
    const first = meanOf(row(before.moments.first, j), g, adam.beta1);
    const second = meanOf(row(before.moments.second, j), squaresOf(g), adam.beta2);
    expectNear(row(after.moments.first, j), first, `First moment of row ${j}`);
    expectNear(row(after.moments.second, j), second, `Second moment of row ${j}`);
    const moved = movedBy(weights, first, second, adam);
    expectNear(row(after.weights, j), unitRows ? scaledToUnit(moved) : moved, `Row ${j}`);
  }
}

function expectNear(got: Float32Array, { values, errors }: Expected, name: string): void {
  got.forEach((value, k) => {
    if (!(Math.abs(value - values[k]) <= errors[k]))
      throw new Error(`${name}: value ${k} is ${value}, not ${values[k]}`);
  });
}

function expected(length: number, at: (k: number) => readonly [value: number, error: number]): Expected {
  const result = { values: new Float64Array(length), errors: new Float64Array(length) };
  for (let k = 0; k < length; k++) [result.values[k], result.errors[k]] = at(k);
  return result;
}

function gradientOfRow(gradient: readonly GradientTerm[], j: number, columns: number): Expected {
  const [sum, sizes] = [new Float64Array(columns), new Float64Array(columns)];
  let entries = 0;
  for (const { code, rows } of gradient)
    for (let entry = code.offsets[j]; entry < code.offsets[j + 1]; entry++) {
      entries++;
      row(rows, code.indices[entry]).forEach((value, k) => {
        sum[k] += code.values[entry] * value;
        sizes[k] += Math.abs(code.values[entry] * value);
      });
    }
  return { values: sum, errors: sizes.map((size) => (entries + 1) * ROUNDING * size) };
}

/** What is left of `g` at a right angle to `weights`. */
function withoutParallel(g: Expected, weights: Float32Array): Expected {
  const total = (values: ArrayLike<number>) => weights.reduce((sum, w, k) => sum + w * values[k], 0);
  const square = total(weights);
  if (square === 0) return g;
  const share = total(g.values) / square;
  const shareError = weights.reduce((sum, w, k) => sum + Math.abs(w) * g.errors[k], 0) / square;
  return expected(weights.length, (k) => {
    const value = g.values[k] - share * weights[k];
    return [value, g.errors[k] + shareError * Math.abs(weights[k]) + ROUNDING * Math.abs(value)];
  });
}

function squaresOf({ values, errors }: Expected): Expected {
  return expected(values.length, (k) => [
    values[k] ** 2,
    (2 * Math.abs(values[k]) + errors[k]) * errors[k] + 2 * ROUNDING * values[k] ** 2,
  ]);
}

function meanOf(last: Float32Array, { values, errors }: Expected, beta: number): Expected {
  return expected(last.length, (k) => [
    beta * last[k] + (1 - beta) * values[k],
    (1 - beta) * errors[k] +
      4 * ROUNDING * (Math.abs(beta * last[k]) + Math.abs((1 - beta) * values[k])) +
      2 * SMALLEST_NORMAL,
  ]);
}

/** The weights after the step, from the moments after it. */
function movedBy(
  weights: Float32Array,
  first: Expected,
  second: Expected,
  { rate, beta1, beta2, epsilon, step }: AdamStep,
): Expected {
  const stepFor = (mean: number, square: number) =>
    (rate * (mean / (1 - beta1 ** step))) / (Math.sqrt(Math.max(0, square) / (1 - beta2 ** step)) + epsilon);
  return expected(weights.length, (k) => {
    const taken = stepFor(first.values[k], second.values[k]);
    const extremes = [-1, 1].flatMap((a) =>
      [-1, 1].map((b) =>
        stepFor(first.values[k] + a * first.errors[k], second.values[k] + b * second.errors[k]),
      ),
    );
    const error = Math.max(...extremes.map((extreme) => Math.abs(extreme - taken)));
    return [weights[k] - taken, error + ROUNDING * (9 * Math.abs(taken) + Math.abs(weights[k]))];
  });
}

function scaledToUnit({ values, errors }: Expected): Expected {
  const length = Math.hypot(...values);
  if (length === 0) return { values, errors };
  const lengthError = Math.hypot(...errors);
  return expected(values.length, (k) => {
    const value = values[k] / length;
    return [
      value,
      (errors[k] + Math.abs(value) * lengthError) / Math.max(length - lengthError, 0) +
        2 * ROUNDING * Math.abs(value),
    ];
  });
}
