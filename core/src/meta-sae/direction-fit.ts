import { codeRows } from "../kernels/code-rows.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { addBatch, emptyReconstructionSums, reconstructionMetrics } from "../metrics/reconstruction.ts";
import { type Matrix, rowRange } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { subtractRow } from "../tensor/subtract-row.ts";

/** How well directions are explained as sparse sums of others, and by how many. */
export interface DirectionFit {
  /** 1 − Σ‖w − ŵ‖² / Σ‖w − w̄‖²: 1 is perfect, negative worse than the mean direction. Higher is better. */
  readonly varianceExplained: number;
  /** Σ‖w − ŵ‖² / (n · d). Lower is better. */
  readonly mse: number;
  /** Mean number of active meta-latents per direction. */
  readonly l0: number;
  /** Share of the meta-latents that no direction uses. */
  readonly deadShare: number;
}

/** A sparse sum of directions for each row: ŵ = code · decoder + bias. */
export interface SparseSum {
  /** [n × s] */
  readonly code: SparseCode;
  /** [s × d] */
  readonly decoder: Matrix;
  /** [d]; nothing when absent. */
  readonly bias?: Float32Array;
}

/** Rows at a time, so that the residual of a large SAE's directions is never held whole. */
const BATCH_ROWS = 4096;

/**
 * How well `sum` reconstructs `directions` [n × d], by the formula of Leask et al. (arXiv 2502.04878) and SAEBench. NaN where all
 * directions are equal. Throws ShapeError when shapes do not fit.
 */
export async function directionFit(
  directions: Matrix,
  { code, decoder, bias }: SparseSum,
  kernels: Kernels,
): Promise<DirectionFit> {
  const sums = emptyReconstructionSums(directions.columns, decoder.rows);
  for (let start = 0; start < directions.rows; start += BATCH_ROWS) {
    const end = Math.min(start + BATCH_ROWS, directions.rows);
    const batch = rowRange(directions, start, end);
    const batchCode = codeRows(code, start, end);
    const centred = bias === undefined ? batch : subtractRow(batch, bias);
    const residual = await kernels.decode(batchCode, decoder, centred, -1);
    addBatch(sums, batch, residual, batchCode);
    recycle(residual.values);
  }
  const { varianceExplained, mse, l0, deadShare } = reconstructionMetrics(sums);
  return { varianceExplained, mse, l0, deadShare };
}
