import {
  type ActivationSource,
  addBatch,
  emptyReconstructionSums,
  encode,
  type Kernels,
  mapBatches,
  type ReconstructionMetrics,
  reconstructionMetrics,
  residual,
  type Sae,
  usableRows,
} from "@saestitch/core";

/** How an SAE does on a sample, and what was left out of that. */
export interface SaeMeasurement {
  readonly metrics: ReconstructionMetrics;
  readonly excluded: number;
  readonly nonFinite: number;
}

/** Encode and reconstruct the rows of a sample up to `end`. Throws as `usableRows` and `encode` do. */
export async function measureSae(
  sae: Sae,
  source: ActivationSource,
  kernels: Kernels,
  {
    end,
    skipNonFinite,
    batchRows,
    onRows = () => {},
  }: {
    readonly end: number;
    readonly skipNonFinite: boolean;
    readonly batchRows: number;
    /** Called with the rows done so far. */
    readonly onRows?: (rows: number) => void;
  },
): Promise<SaeMeasurement> {
  const sums = emptyReconstructionSums(sae.decoder.columns, sae.decoder.rows);
  let excluded = 0;
  let nonFinite = 0;
  const encoded = mapBatches(source.batches({ end, batchRows }), async (batch) => {
    const usable = usableRows(batch, source.location, { skipNonFinite });
    const encoding = await encode(sae, usable.activations, kernels);
    const unexplained = await residual(sae, usable.activations, encoding, kernels);
    return { usable, code: encoding.code, unexplained, end: batch.start + batch.activations.rows };
  });
  for await (const batch of encoded) {
    addBatch(sums, batch.usable.activations, batch.unexplained, batch.code);
    excluded += batch.usable.excluded;
    nonFinite += batch.usable.nonFinite;
    onRows(batch.end);
  }
  return { metrics: reconstructionMetrics(sums), excluded, nonFinite };
}
