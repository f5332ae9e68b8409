import type { ActivationSource } from "../activations/activation-source.ts";
import { mapBatches } from "../activations/map-batches.ts";
import { usableRows } from "../activations/usable-rows.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { encode, residual } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import { selectionOf } from "../sae/selection.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
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

/** How a sample is read. */
export interface ReconstructionOptions {
  readonly end?: number;
  readonly skipNonFinite?: boolean;
  readonly batchRows?: number;
  /** Called after every batch with the rows done so far. */
  readonly onRows?: (rows: number) => void;
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
  options: ReconstructionOptions = {},
): Promise<MeasuredReconstruction> {
  const [measured] = await measureReconstructions([sae], source, kernels, options);
  return measured;
}

/** As {@link measureReconstruction}, several SAEs in the same pass: each batch is read once. */
export async function measureReconstructions(
  saes: readonly Sae[],
  source: ActivationSource,
  kernels: Kernels,
  {
    end = source.rows,
    skipNonFinite = false,
    batchRows = 2048,
    onRows = () => {},
  }: ReconstructionOptions = {},
): Promise<MeasuredReconstruction[]> {
  const sums = saes.map(({ decoder }) => emptyReconstructionSums(decoder.columns, decoder.rows));
  const selections = saes.map(selectionOf);
  let excluded = 0;
  let nonFinite = 0;
  const encoded = mapBatches(source.batches({ end, batchRows }), async (batch) => {
    const usable = usableRows(batch, source.location, { skipNonFinite });
    const { activations } = usable;
    if (activations !== batch.activations) recycle(batch.activations.values);
    const readings: { readonly code: SparseCode; readonly unexplained: Matrix }[] = [];
    for (const [s, sae] of saes.entries()) {
      const encoding = await encode(sae, activations, kernels, { selection: selections[s] });
      readings.push({
        code: encoding.code,
        unexplained: await residual(sae, activations, encoding, kernels),
      });
    }
    return { usable, readings, end: batch.start + batch.activations.rows };
  });
  for await (const { usable, readings, end } of encoded) {
    readings.forEach(({ code, unexplained }, s) => {
      addBatch(sums[s], usable.activations, unexplained, code);
      recycle(unexplained.values);
    });
    recycle(usable.activations.values);
    excluded += usable.excluded;
    nonFinite += usable.nonFinite;
    onRows(end);
  }
  return sums.map((ofOne) => ({ metrics: reconstructionMetrics(ofOne), excluded, nonFinite }));
}
