import type { GradientTerm, Kernels } from "../kernels/kernels.ts";
import { sumOfSquares } from "../linalg/norm.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { transposer } from "../tensor/transpose-code.ts";
import { sumByLatent } from "./sum-by-latent.ts";
import type { TrainingState } from "./training-state.ts";

/** The loss that revives dead latents, and its derivatives. */
export interface AuxiliaryLoss {
  /** weight · mean over tokens of ‖e − ê‖². */
  readonly loss: number;
  readonly encoder: GradientTerm;
  readonly decoder: GradientTerm;
  /** By the product u · encoderᵀ of the entries: their sum by latent, [m]; by the encoder bias the same. */
  readonly byProduct: Float64Array;
}

/**
 * Let dead latents reconstruct what is missed (Gao et al., arXiv 2406.04093, and Bussmann et al., arXiv 2412.06410): ê is the sum of
 * the `count` dead latents with the largest positive pre-activations of each token, of all dead latents at most, and
 * e = `residual` [b × d], taken as a constant. `dead` are latents, ascending.
 */
export async function auxiliaryLoss(
  { parameters: { encoder, encoderBias, decoder } }: TrainingState,
  dead: Int32Array,
  { centred, residual }: { readonly centred: Matrix; readonly residual: Matrix },
  { weight, count }: { readonly weight: number; readonly count: number },
  kernels: Kernels,
): Promise<AuxiliaryLoss> {
  const m = encoder.weights.rows;
  const bias = allocateFloat32(dead.length);
  for (let p = 0; p < dead.length; p++) bias[p] = encoderBias.weights.values[dead[p]];
  const directions = pickRows(decoder.weights, dead);
  const code = await kernels.encode(centred, pickRows(encoder.weights, dead), bias, {
    kind: "top",
    count: Math.min(count, dead.length),
  });
  const missed = await kernels.decode(code, directions, residual, -1);
  const slope = (-2 * weight) / code.rows;
  const projected = await kernels.project(code, directions, missed);
  const turn = transposer(code);
  const amongAll = (values: Float32Array) => spreadRows(turn(values, slope), dead, m);
  const byDead = sumByLatent(code, projected);
  const byProduct = new Float64Array(m);
  for (let p = 0; p < dead.length; p++) byProduct[dead[p]] = slope * byDead[p];
  return {
    loss: (weight * sumOfSquares(missed.values)) / code.rows,
    encoder: { code: amongAll(projected), rows: centred },
    decoder: { code: amongAll(code.values), rows: missed },
    byProduct,
  };
}

function pickRows(from: Matrix, rows: Int32Array): Matrix {
  const picked = zeros(rows.length, from.columns);
  for (let p = 0; p < rows.length; p++) row(picked, p).set(row(from, rows[p]));
  return picked;
}

/** A code of `among` rows whose row `rows[p]`, ascending, is row p of `code`; the others are empty. */
function spreadRows(code: SparseCode, rows: Int32Array, among: number): SparseCode {
  const offsets = new Int32Array(among + 1);
  for (let p = 0; p < rows.length; p++) offsets[rows[p] + 1] = code.offsets[p + 1] - code.offsets[p];
  for (let j = 0; j < among; j++) offsets[j + 1] += offsets[j];
  return { ...code, rows: among, offsets };
}
