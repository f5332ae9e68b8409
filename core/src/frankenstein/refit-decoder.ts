import type { Kernels } from "../kernels/kernels.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { transposeCode } from "../tensor/transpose-code.ts";
import { type BiasFitter, biasFitter } from "./fitted-bias.ts";

/** What a decoder is fitted to: `target` ≈ code · directions + outputScale · bias, row by row. */
export interface DecoderProblem {
  /** [n × d] */
  readonly target: Matrix;
  /** [n] */
  readonly outputScale: Float32Array;
  /** [n × k] */
  readonly code: SparseCode;
}

/** Directions, and the best bias beside them. */
export interface FittedDecoder {
  /** [k × d] */
  readonly directions: Matrix;
  /** [d] */
  readonly bias: Float32Array;
}

/** Where a re-fit stands. */
export interface RefitProgress {
  /** Iterations done; 0 at the start. */
  readonly iteration: number;
  /** Squared error on the tokens it is fitted to; it never rises. */
  readonly sse: number;
  /** The decoder as it is now, to be read before going on. */
  readonly decoder: FittedDecoder;
  /** [n × d] what it leaves of the target, to be read before going on. */
  readonly residual: Matrix;
}

/** Smallest share of the squared error that a step in float32 can still take away. */
const RESOLUTION = 2 ** -22;

/**
 * Fit directions and bias to codes that stay as they are, by least squares, beginning at `directions` [k × d]:
 *
 *     minimise Σ ‖target − code · W − s · b‖²        s the output scale
 *
 * Conjugate gradients on the least-squares problem (CGLS, Paige & Saunders 1982), each of the d columns with steps of its own,
 * preconditioned by each latent's own sum of squares; one decode and one adjoint per iteration, and no matrix over pairs of latents.
 * The bias is not iterated: at every step it is the best one, in closed form. A latent that never fires keeps its direction.
 *
 * Yields the start and the state after every iteration, and ends when the squared error can fall by no more than about
 * `tolerance` of itself, or after `iterations`. Stopping early gives a decoder between the given one and the best.
 */
export async function* refitDecoder(
  { target, outputScale, code }: DecoderProblem,
  directions: Matrix,
  kernels: Kernels,
  { iterations = 50, tolerance = 1e-6 }: { readonly iterations?: number; readonly tolerance?: number } = {},
): AsyncGenerator<RefitProgress> {
  const { rows: n, columns: d } = target;
  const byLatent = transposeCode(code);
  const nothing = { tokens: zeros(n, d), latents: zeros(directions.rows, d) };
  const bias = biasFitter(target, outputScale, code);
  const inverse = inverseSquares(byLatent, bias);

  const w = zeros(directions.rows, d);
  w.values.set(directions.values);
  const residual = await kernels.decode(code, w, target, -1);
  addOuter(residual, outputScale, bias.of(w), -1);
  let sse = residual.values.reduce((sum, value) => sum + value * value, 0);
  let iteration = 0;
  yield { iteration, sse, decoder: { directions: w, bias: bias.of(w) }, residual };

  const step = zeros(directions.rows, d);
  let before: Float64Array | undefined;
  while (iteration < iterations) {
    const gradient = await kernels.decode(byLatent, residual, nothing.latents, 1);
    const promise = columnSums(gradient, (value, j) => value * value * inverse[j]);
    if (sum(promise) <= Math.max(tolerance, RESOLUTION) * sse) break;
    for (let j = 0, at = 0; j < step.rows; j++)
      for (let c = 0; c < d; c++, at++) {
        const momentum = before === undefined || before[c] === 0 ? 0 : promise[c] / before[c];
        step.values[at] = inverse[j] * gradient.values[at] + momentum * step.values[at];
      }
    recycle(gradient.values);

    const change = await kernels.decode(code, step, nothing.tokens, 1);
    addOuter(change, outputScale, bias.slope(step), 1);
    const curvature = columnSums(change, (value) => value * value);
    const length = promise.map((value, c) => (curvature[c] > 0 ? value / curvature[c] : 0));
    addColumns(w, step, length, 1);
    addColumns(residual, change, length, -1);
    recycle(change.values);
    before = promise;
    sse = residual.values.reduce((total, value) => total + value * value, 0);
    yield { iteration: ++iteration, sse, decoder: { directions: w, bias: bias.of(w) }, residual };
  }
  recycle(nothing.tokens.values);
}

/** [k] 1 over each latent's sum of squares, less what a bias can do; 0 for one that never fires. */
export function inverseSquares(
  byLatent: SparseCode,
  { scaledActivation, scaleSquares }: Pick<BiasFitter, "scaledActivation" | "scaleSquares">,
): Float64Array {
  return scaledActivation.map((scaled, j) => {
    let squares = 0;
    for (let e = byLatent.offsets[j]; e < byLatent.offsets[j + 1]; e++)
      squares += byLatent.values[e] * byLatent.values[e];
    if (squares === 0) return 0;
    const own = scaleSquares > 0 ? squares - (scaled * scaled) / scaleSquares : squares;
    // A latent that is always active in proportion to the scale is a second bias.
    return 1 / Math.max(own, 1e-6 * squares);
  });
}

/** Add `sign` · scale · vector, an outer product, to `m`, in place. */
function addOuter(m: Matrix, scale: Float32Array, vector: Float32Array, sign: 1 | -1): void {
  for (let i = 0, at = 0; i < m.rows; i++)
    for (let c = 0; c < m.columns; c++, at++) m.values[at] += sign * scale[i] * vector[c];
}

/** Add `sign` times `addend`, its columns scaled by `factors`, to `m`, in place. */
function addColumns(m: Matrix, addend: Matrix, factors: Float64Array, sign: 1 | -1): void {
  for (let i = 0, at = 0; i < m.rows; i++)
    for (let c = 0; c < m.columns; c++, at++) m.values[at] += sign * factors[c] * addend.values[at];
}

function columnSums(m: Matrix, of: (value: number, row: number) => number): Float64Array {
  const sums = new Float64Array(m.columns);
  for (let i = 0, at = 0; i < m.rows; i++)
    for (let c = 0; c < m.columns; c++, at++) sums[c] += of(m.values[at], i);
  return sums;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
