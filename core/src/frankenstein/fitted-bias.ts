import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/** Sums from which the best bias beside any directions follows without another look at the tokens. */
export interface BiasFitter {
  /** [k] Σ s f of each latent. */
  readonly scaledActivation: Float64Array;
  /** Z = Σ s². */
  readonly scaleSquares: number;
  /** The bias b that minimises Σ ‖target − code · directions − s b‖², [d]: Σ s (target − code · directions) / Z. */
  of(directions: Matrix): Float32Array;
  /** How that bias changes when `step` is added to the directions, [d]. */
  slope(step: Matrix): Float32Array;
}

/** Sum up `target` [n × d] and `code` [n × k] by the output scale s [n]. */
export function biasFitter(target: Matrix, outputScale: Float32Array, code: SparseCode): BiasFitter {
  const scaledTarget = new Float64Array(target.columns);
  const scaledActivation = new Float64Array(code.columns);
  let scaleSquares = 0;
  for (let i = 0, at = 0; i < target.rows; i++) {
    const s = outputScale[i];
    scaleSquares += s * s;
    for (let c = 0; c < target.columns; c++, at++) scaledTarget[c] += s * target.values[at];
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
      scaledActivation[code.indices[entry]] += s * code.values[entry];
  }
  /** (from − Σ F w) / Z; 0 when every scale is 0, and no bias has any effect. */
  const less = (from: Float64Array, { rows, columns, values }: Matrix) => {
    const bias = from.slice();
    for (let j = 0; j < rows; j++)
      for (let c = 0; c < columns; c++) bias[c] -= scaledActivation[j] * values[j * columns + c];
    return Float32Array.from(bias, (value) => (scaleSquares > 0 ? value / scaleSquares : 0));
  };
  return {
    scaledActivation,
    scaleSquares,
    of: (directions) => less(scaledTarget, directions),
    slope: (step) => less(new Float64Array(target.columns), step),
  };
}
