import type { Kernels } from "../kernels/kernels.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { transposeCode } from "../tensor/transpose-code.ts";
import type { PooledTokens } from "./half-sample.ts";
import type { LatentPool } from "./latent-pool.ts";

/**
 * A dictionary that latents of a pool enter and leave one at a time, and how well it writes some tokens with the best decoder bias:
 *
 *     J = Σ ‖r‖² − ‖S‖² / Z        r = target − Σ f w,  S = Σ s r,  Z = Σ s²,  s the output scale
 *
 * J is the squared error that is left under that bias, so gains are exact with the bias re-fitted after every change:
 *
 *     ΔJ = ‖w‖² (A − F²/Z) ∓ 2 (Σ f⟨w, r⟩ − F⟨w, S⟩/Z)        A = Σ f²,  F = Σ s f
 *
 * for a latent that enters (−) or leaves (+). A change costs as many products of width d as the latent has firings.
 */
export class DictionaryFit {
  readonly tokens: number;
  readonly #code: SparseCode;
  readonly #byLatent: SparseCode;
  readonly #directions: Matrix;
  readonly #outputScale: Float32Array;
  /** r, less what the bias takes away from the target alone: it keeps numbers small where the mean is large, and J as it is. */
  readonly #residual: Matrix;
  readonly #scaledSum: Float64Array;
  /** 1 / Z; 0 when every scale is 0. */
  readonly #share: number;
  /** [M] ‖w‖² (A − F²/Z) */
  readonly #ownError: Float64Array;
  /** [M] F */
  readonly #scaledActivation: Float64Array;
  readonly #chosen: Uint8Array;
  #objective: number;
  #size = 0;
  #entries = 0;

  /** The empty dictionary over the latents of `pool`. */
  constructor({ directions, normsSquared }: LatentPool, { code, target, outputScale }: PooledTokens) {
    this.tokens = code.rows;
    this.#code = code;
    this.#byLatent = transposeCode(code);
    this.#directions = directions;
    this.#outputScale = outputScale;
    const scaleSquares = outputScale.reduce((sum, s) => sum + s * s, 0);
    this.#share = scaleSquares > 0 ? 1 / scaleSquares : 0;
    this.#residual = zeros(target.rows, target.columns);
    this.#residual.values.set(target.values);
    const bias = Float32Array.from(scaledSum(target, outputScale), (value) => value * this.#share);
    for (let i = 0; i < target.rows; i++)
      addTo(this.#residual.values, i * target.columns, -outputScale[i], bias, 0, target.columns);
    this.#scaledSum = scaledSum(this.#residual, outputScale);
    this.#objective = this.#objectiveOfResidual();
    this.#ownError = new Float64Array(code.columns);
    this.#scaledActivation = new Float64Array(code.columns);
    const { offsets, indices, values } = this.#byLatent;
    for (let j = 0; j < code.columns; j++) {
      let squares = 0;
      let scaled = 0;
      for (let e = offsets[j]; e < offsets[j + 1]; e++) {
        squares += values[e] * values[e];
        scaled += values[e] * outputScale[indices[e]];
      }
      this.#ownError[j] = normsSquared[j] * (squares - scaled * scaled * this.#share);
      this.#scaledActivation[j] = scaled;
    }
    this.#chosen = new Uint8Array(code.columns);
  }

  /** Latents in the pool. */
  get poolSize(): number {
    return this.#chosen.length;
  }

  /** J, kept up to date by the gains of what was toggled. */
  get objective(): number {
    return this.#objective;
  }

  /** Latents chosen. */
  get size(): number {
    return this.#size;
  }

  /** Firings of all chosen latents together: L0 times the number of tokens. */
  get entries(): number {
    return this.#entries;
  }

  /** Firings of latent `id`. */
  firings(id: number): number {
    return this.#byLatent.offsets[id + 1] - this.#byLatent.offsets[id];
  }

  has(id: number): boolean {
    return this.#chosen[id] === 1;
  }

  /** Pool ids of the chosen latents, ascending. */
  latents(): Int32Array {
    const latents = new Int32Array(this.#size);
    let count = 0;
    this.#chosen.forEach((chosen, id) => {
      if (chosen === 1) latents[count++] = id;
    });
    return latents;
  }

  /** How far J falls when latent `id` is toggled: enters when it is outside, leaves when it is inside. */
  gain(id: number): number {
    const { offsets, indices, values } = this.#byLatent;
    const d = this.#directions.columns;
    const from = id * d;
    let along = 0;
    for (let e = offsets[id]; e < offsets[id + 1]; e++)
      along += values[e] * dot(this.#directions.values, from, this.#residual.values, indices[e] * d, d);
    return this.#gainFrom(id, along);
  }

  /** The gains of all latents, [M], by one product with the kernels; float32 sums, where {@link gain} has float64. */
  async allGains(kernels: Kernels): Promise<Float64Array> {
    const { indices, values, columns } = this.#code;
    const products = await kernels.project(this.#code, this.#directions, this.#residual);
    const along = new Float64Array(columns);
    for (let e = 0; e < indices.length; e++) along[indices[e]] += values[e] * products[e];
    return along.map((sum, id) => this.#gainFrom(id, sum));
  }

  /** Let latent `id` enter, or leave; `gain` is what {@link gain} says of it now. */
  toggle(id: number, gain = this.gain(id)): void {
    const { offsets, indices, values } = this.#byLatent;
    const d = this.#directions.columns;
    const sign = this.#chosen[id] === 1 ? 1 : -1;
    for (let e = offsets[id]; e < offsets[id + 1]; e++)
      addTo(this.#residual.values, indices[e] * d, sign * values[e], this.#directions.values, id * d, d);
    addScaled(this.#scaledSum, sign * this.#scaledActivation[id], this.#directions.values, id * d);
    this.#objective -= gain;
    this.#chosen[id] = sign === 1 ? 0 : 1;
    this.#size -= sign;
    this.#entries -= sign * this.firings(id);
  }

  /** J summed anew, free of what rounding has added up to over many toggles. */
  renewObjective(): number {
    this.#scaledSum.set(scaledSum(this.#residual, this.#outputScale));
    this.#objective = this.#objectiveOfResidual();
    return this.#objective;
  }

  /** `along` = Σ f⟨w, r⟩ over the firings of the latent. */
  #gainFrom(id: number, along: number): number {
    if (this.firings(id) === 0) return 0;
    const d = this.#directions.columns;
    const sum = dotFloat64(this.#scaledSum, this.#directions.values, id * d);
    const towards = 2 * (along - this.#scaledActivation[id] * sum * this.#share);
    return this.#chosen[id] === 1 ? -this.#ownError[id] - towards : towards - this.#ownError[id];
  }

  #objectiveOfResidual(): number {
    const { values } = this.#residual;
    let squares = 0;
    for (let at = 0; at < values.length; at++) squares += values[at] * values[at];
    return squares - dotFloat64(this.#scaledSum, this.#scaledSum, 0) * this.#share;
  }
}

/** Σ over rows of scale · row, [d]. */
function scaledSum({ rows, columns, values }: Matrix, scale: Float32Array): Float64Array {
  const sum = new Float64Array(columns);
  for (let i = 0; i < rows; i++) addScaled(sum, scale[i], values, i * columns);
  return sum;
}

/** Add `factor` times as many values of `addend`, from `start` on, as `sum` has, in place. */
function addScaled(sum: Float64Array, factor: number, addend: Float32Array, start: number): void {
  for (let k = 0; k < sum.length; k++) sum[k] += factor * addend[start + k];
}

function dotFloat64(a: Float64Array, b: ArrayLike<number>, bStart: number): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[bStart + k];
  return sum;
}

// The two loops that all the time goes into. They see float32 on both sides only, or they would be compiled for any kind of array.

/** Inner product of two stretches, four sums at a time, so that additions need not wait for each other. */
function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, length: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const whole = length - (length % 4);
  for (let k = 0; k < whole; k += 4) {
    const i = aStart + k;
    const j = bStart + k;
    s0 += a[i] * b[j];
    s1 += a[i + 1] * b[j + 1];
    s2 += a[i + 2] * b[j + 2];
    s3 += a[i + 3] * b[j + 3];
  }
  for (let k = whole; k < length; k++) s0 += a[aStart + k] * b[bStart + k];
  return s0 + s1 + (s2 + s3);
}

function addTo(
  target: Float32Array,
  targetStart: number,
  factor: number,
  addend: Float32Array,
  addendStart: number,
  length: number,
): void {
  for (let k = 0; k < length; k++) target[targetStart + k] += factor * addend[addendStart + k];
}
