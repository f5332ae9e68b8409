import { dot } from "../linalg/dot.ts";
import { type Matrix, row } from "../tensor/matrix.ts";
import { solvePositiveDefinite } from "./solve-positive-definite.ts";

/** Share of a target's squared length below which a residual is rounding error. */
const ALL_EXPLAINED = 1e-12;

/**
 * One target as a sum of a few rows of a dictionary, fitted anew by least squares (float64) whenever a row joins. With
 * `nonNegative`, rows whose strength would not stay positive leave, as in the active-set method of Lawson and Hanson (1974).
 */
export class RowRegression {
  /** [d] the target less the sum; float32, kept up to date. */
  readonly residual: Float32Array;
  readonly #target: Float32Array;
  readonly #dictionary: Matrix;
  readonly #nonNegative: boolean;
  /** Rows of the dictionary in the order in which they joined, and for each its strength … */
  #chosen: number[] = [];
  #strengths: number[] = [];
  /** … its inner product with the target, and those with the rows up to itself. */
  #products: number[] = [];
  #gram: number[][] = [];

  /** `residual` [d] is where to keep it; it is overwritten. */
  constructor(
    target: Float32Array,
    dictionary: Matrix,
    residual: Float32Array,
    { nonNegative }: { readonly nonNegative: boolean },
  ) {
    this.#target = target;
    this.#dictionary = dictionary;
    this.#nonNegative = nonNegative;
    this.residual = residual;
    residual.set(target);
  }

  /** Number of rows in the sum. */
  get count(): number {
    return this.#chosen.length;
  }

  /** The sum, by ascending row of the dictionary. */
  entries(): { readonly index: number; readonly strength: number }[] {
    return this.#chosen
      .map((index, t) => ({ index, strength: this.#strengths[t] }))
      .sort((a, b) => a.index - b.index);
  }

  /**
   * Let a row of the dictionary join the sum. False when there is nothing to be gained any more: it has joined already, it is a sum of
   * those that have, no strength of it would explain more, or the target is explained up to rounding.
   */
  add(index: number): boolean {
    if (this.#chosen.includes(index)) return false;
    const direction = row(this.#dictionary, index);
    const line = [...this.#chosen, index].map((other) => dot(direction, row(this.#dictionary, other)));
    const gram = [...this.#gram, line];
    const products = [...this.#products, dot(direction, this.#target)];
    const strengths = this.#nonNegative
      ? nonNegativeSolution(gram, products, [...this.#strengths, 0])
      : solvePositiveDefinite(gram, products);
    if (strengths === undefined) return false;
    const kept = Array.from(strengths.keys()).filter((t) => strengths[t] !== 0);
    if (!kept.includes(this.#chosen.length)) return false;
    this.#chosen = kept.map((t) => this.#chosen[t] ?? index);
    this.#strengths = kept.map((t) => strengths[t]);
    this.#products = kept.map((t) => products[t]);
    this.#gram = part(gram, kept);
    return this.#updateResidual() > ALL_EXPLAINED * dot(this.#target, this.#target);
  }

  /** Squared length of the new residual. */
  #updateResidual(): number {
    const left = Float64Array.from(this.#target);
    this.#chosen.forEach((index, t) => {
      const direction = row(this.#dictionary, index);
      for (let c = 0; c < left.length; c++) left[c] -= this.#strengths[t] * direction[c];
    });
    this.residual.set(left);
    return dot(left, left);
  }
}

/**
 * Minimise xᵀ A x − 2 bᵀ x from the feasible `start` ≥ 0 on: walk towards the unconstrained minimum, and where a value reaches
 * zero, leave it there and go on without it. Undefined when A is singular.
 */
function nonNegativeSolution(
  a: readonly (readonly number[])[],
  b: readonly number[],
  start: readonly number[],
): number[] | undefined {
  const current = [...start];
  let free = Array.from(current.keys());
  for (;;) {
    const wanted = solvePositiveDefinite(
      part(a, free),
      free.map((t) => b[t]),
    );
    if (wanted === undefined) return undefined;
    // How far each value can go before it reaches zero.
    const shares = free.map((t, i) => {
      if (wanted[i] > 0) return Infinity;
      return current[t] === 0 ? 0 : current[t] / (current[t] - wanted[i]);
    });
    const share = Math.min(1, ...shares);
    const blocked = free.filter((_, i) => shares[i] <= share);
    free.forEach((t, i) => {
      current[t] += share * (wanted[i] - current[t]);
    });
    if (blocked.length === 0) return current;
    for (const t of blocked) current[t] = 0;
    free = free.filter((t) => !blocked.includes(t));
  }
}

/** Rows and columns `kept` of a lower triangle, as a lower triangle. */
function part(a: readonly (readonly number[])[], kept: readonly number[]): number[][] {
  return kept.map((t, i) => kept.slice(0, i + 1).map((s) => a[t][s]));
}
