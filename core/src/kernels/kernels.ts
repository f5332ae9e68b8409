import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/**
 * Which latents of a pre-activation row `p` become active, and how strongly.
 *
 * - `threshold`: latent j is active when `p[j] > threshold[j]` (strictly) and its activation, `p[j] * scale[j] + offset[j]`
 *   (scale 1 and offset 0 when absent), is positive.
 * - `row-threshold`: latent j of row i is active when `p[j] > threshold[i]` and `p[j] > 0`; its activation is `p[j]`.
 * - `top`: the `count` largest `p[j]` of the row are active where positive; equal values go to the lower index.
 */
export type Selection =
  | {
      readonly kind: "threshold";
      /** [m] */
      readonly threshold: Float32Array;
      /** [m] */
      readonly scale?: Float32Array;
      /** [m] */
      readonly offset?: Float32Array;
    }
  | {
      readonly kind: "row-threshold";
      /** [rows of x] */
      readonly threshold: Float32Array;
    }
  | { readonly kind: "top"; readonly count: number };

/** For each row of one matrix its nearest rows of another, best first; `count` of them per row, row-major. */
export interface Matches {
  readonly count: number;
  /** [rows × count]; equal cosines go to the lower index. */
  readonly indices: Int32Array;
  /** [rows × count], in [-1, 1]. */
  readonly cosines: Float32Array;
}

/** Part of a gradient with respect to rows: its row j is the sum, over the entries (row j, index i, value g) of `code`, of g · rows[i]. */
export interface GradientTerm {
  /** [m × b]; by latent, as `transposeCode` gives it. */
  readonly code: SparseCode;
  /** [b × d] */
  readonly rows: Matrix;
}

/** Running means that Adam keeps of a gradient and of its squares, each of the shape of the weights. */
export interface AdamMoments {
  readonly first: Matrix;
  readonly second: Matrix;
}

/** One step of Adam (Kingma and Ba, arXiv 1412.6980): how far, and how the running means forget. */
export interface AdamStep {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Number of this step, from 1: the means are divided by 1 − βᵗ. */
  readonly step: number;
}

/**
 * CONTRACT. The heavy operations, all of them. Every implementation passes `kernels.conformance.ts`.
 *
 * No operation holds a dense [rows × latents] result. Arguments are only read, but for what `update` updates; a call may begin before
 * the last has ended. Shapes that do not fit reject with a ShapeError.
 *
 * Results do not depend on how many threads took part, nor on the engine: WebAssembly, native code and WebGPU give the same bits. A
 * dot product of two rows is one number whichever operation makes it: float32 products added up in eight sums, column k in
 * sum k mod 8, which are then added in one order. (The reference, which checks them, adds up in float64.)
 */
export interface Kernels {
  /** What runs, for people: "wasm, 2 threads". */
  readonly name: string;

  /** Codes of `x` [b × d]: pre-activations `x · encoderᵀ + bias` (encoder [m × d], bias [m]), then {@link Selection}. */
  encode(x: Matrix, encoder: Matrix, bias: Float32Array, selection: Selection): Promise<SparseCode>;

  /** `base + sign · code · decoder`, [b × d]; decoder [m × d], base [b × d]. */
  decode(code: SparseCode, decoder: Matrix, base: Matrix, sign: 1 | -1): Promise<Matrix>;

  /** For each entry (row i, latent j) of `code`: ⟨decoder[j], residual[i]⟩. Length: entries. */
  project(code: SparseCode, decoder: Matrix, residual: Matrix): Promise<Float32Array>;

  /**
   * As `project`, but every entry is subtracted from its row before the next one is projected: with rᵢ = residual[i] at
   * first, each entry (row i, latent j, activation v), in order, gives ⟨decoder[j], rᵢ⟩ and then takes v · decoder[j] from rᵢ.
   * So Σ v² ‖decoder[j]‖² − 2 v · result is the change of ‖rᵢ‖² that each entry makes after those before it.
   *
   * `group` [m], ascending with the latent (equal or larger), cuts rows into independent walks: rᵢ is residual[i] again at every
   * entry whose group differs from that of the one before. Length: entries.
   */
  walk(code: SparseCode, decoder: Matrix, residual: Matrix, group?: Int32Array): Promise<Float32Array>;

  /**
   * The `count` rows (all m, if fewer) of `among` [m × d] with the highest cosine to each row of `rows` [l × d]. A zero row has
   * cosine 0 to all; a row that holds NaN or infinite values rejects with a DataError.
   */
  match(rows: Matrix, among: Matrix, count: number): Promise<Matches>;

  /**
   * One step of Adam on `weights` [m × d], in place, and on their `moments`, down the sum of the terms of `gradient`; no gradient
   * of all rows is ever held. With t the number of the step, g the gradient: first ← β₁ first + (1 − β₁) g,
   * second ← β₂ second + (1 − β₂) g², weights ← weights − rate · first/(1 − β₁ᵗ) / (√(second/(1 − β₂ᵗ)) + ε).
   *
   * With `unitRows` the rows are directions of length 1 and stay so: what of a row's gradient is parallel to the row is taken out
   * first (a zero row takes nothing), and the row is divided by its length at the end (unless it is zero then). Terms of latents
   * without entries count as zero; their moments fade, below the smallest normal float32 perhaps to zero at once, and their
   * weights still move. Nothing of the gradient may lie in what is updated. A step below 1, a β outside of [0, 1) and an ε that
   * is not above zero reject with a ShapeError, before anything is updated.
   */
  update(
    weights: Matrix,
    moments: AdamMoments,
    gradient: readonly GradientTerm[],
    adam: AdamStep,
    options?: { readonly unitRows?: boolean },
  ): Promise<void>;

  /** Free threads and memory; later calls reject. */
  close(): Promise<void>;
}
