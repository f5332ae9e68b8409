import type { ActivationSource } from "../activations/activation-source.ts";
import { mapBatches } from "../activations/map-batches.ts";
import { usableRows } from "../activations/usable-rows.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { encode, residual } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import { selectionOf } from "../sae/selection.ts";
import { recycle } from "../tensor/shared.ts";
import {
  addBatch,
  emptyReconstructionSums,
  type ReconstructionMetrics,
  reconstructionMetrics,
} from "./reconstruction.ts";

/** How an SAE does on a sample, and what was left out of that. */
export interface MeasuredReconstruction {
  readonly metrics: ReconstructionMetrics;
  readonly excluded: number;
  readonly nonFinite: number;
}

/**
 * Encode and reconstruct the rows of a sample, `end` (exclusive) at most, in one pass and bounded memory.
 *
 * Throws ShapeError when the SAE reads activations of another width, and as {@link usableRows} does.
 */
export async function measureReconstruction(
  sae: Sae,
  source: ActivationSource,
  kernels: Kernels,
  {
    end = source.rows,
    skipNonFinite = false,
    batchRows = 2048,
    onRows = () => {},
  }: {
    readonly end?: number;
    readonly skipNonFinite?: boolean;
    readonly batchRows?: number;
    /** Called after every batch with the rows done so far. */
    readonly onRows?: (rows: number) => void;
  } = {},
): Promise<MeasuredReconstruction> {
  const sums = emptyReconstructionSums(sae.decoder.columns, sae.decoder.rows);
  let excluded = 0;
  let nonFinite = 0;
  const selection = selectionOf(sae);
  const encoded = mapBatches(source.batches({ end, batchRows }), async (batch) => {
    const usable = usableRows(batch, source.location, { skipNonFinite });
    if (usable.activations !== batch.activations) recycle(batch.activations.values);
    const encoding = await encode(sae, usable.activations, kernels, { selection });
    const unexplained = await residual(sae, usable.activations, encoding, kernels);
    return { usable, code: encoding.code, unexplained, end: batch.start + batch.activations.rows };
  });
  for await (const batch of encoded) {
    addBatch(sums, batch.usable.activations, batch.unexplained, batch.code);
    recycle(batch.usable.activations.values);
    recycle(batch.unexplained.values);
    excluded += batch.usable.excluded;
    nonFinite += batch.usable.nonFinite;
    onRows(batch.end);
  }
  return { metrics: reconstructionMetrics(sums), excluded, nonFinite };
}
