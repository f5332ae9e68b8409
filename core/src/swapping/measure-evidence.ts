import { mapBatches } from "../activations/map-batches.ts";
import type { CodedSample } from "../codes/coded-sample.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { InsertionAccumulator } from "../labelling/insertion-accumulator.ts";
import type { InsertionSums } from "../labelling/insertion-sums.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { addBatch, emptyReconstructionSums, type ReconstructionSums } from "../metrics/reconstruction.ts";
import { residual } from "../sae/encode.ts";
import { recycle } from "../tensor/shared.ts";
import { addEvidence, type EvidenceSums, emptyEvidenceSums } from "./edge-evidence.ts";
import type { Edge } from "./families.ts";

/** What one pass over a coded sample says of two SAEs, their edges, and the insertion of each single latent; all parts are mergeable sums. */
export interface MeasuredEvidence {
  /** Rows left out because the source marks them. */
  readonly excluded: number;
  /** Rows left out because they hold NaN or infinite values. */
  readonly nonFinite: number;
  readonly smaller: ReconstructionSums;
  readonly larger: ReconstructionSums;
  /** Of each latent of the larger SAE alone into the smaller, as labelling measures it. */
  readonly insertion: InsertionSums;
  readonly edges: EvidenceSums;
}

/** Measure `edges`, any pairs of latents of the two SAEs of `coded` (smaller, larger). `onRows` is told the rows done after every batch. */
export async function measureEvidence(
  coded: CodedSample,
  edges: readonly Edge[],
  kernels: Kernels,
  onRows: (rows: number) => void = () => {},
): Promise<MeasuredEvidence> {
  const [smaller, larger] = coded.saes;
  const insertion = new InsertionAccumulator(rowNormsSquared(larger.decoder));
  const sums = {
    smaller: emptyReconstructionSums(coded.d, smaller.decoder.rows),
    larger: emptyReconstructionSums(coded.d, larger.decoder.rows),
    edges: emptyEvidenceSums(edges.length, smaller.decoder.rows, larger.decoder.rows),
  };
  let [excluded, nonFinite] = [0, 0];
  const measured = mapBatches(coded.batches(), async (batch) => {
    const [host, donor] = batch.codes;
    const [smallerResidual, largerResidual] = await Promise.all([
      residual(smaller, batch.activations, host, kernels),
      residual(larger, batch.activations, donor, kernels),
    ]);
    const [hostProjections, donorProjections] = await Promise.all([
      kernels.project(host.contributions, smaller.decoder, smallerResidual),
      kernels.project(donor.contributions, larger.decoder, smallerResidual),
    ]);
    return { batch, smallerResidual, largerResidual, hostProjections, donorProjections };
  });
  for await (const { batch, ...computed } of measured) {
    const [host, donor] = batch.codes.map(({ contributions }) => contributions);
    const { activations, documentIds } = batch;
    addBatch(sums.smaller, activations, computed.smallerResidual, host);
    addBatch(sums.larger, activations, computed.largerResidual, donor);
    addEvidence(sums.edges, edges, host, donor, computed.hostProjections);
    insertion.add({
      code: donor,
      projections: computed.donorProjections,
      ...(documentIds && { documentIds }),
    });
    for (const done of [activations, computed.smallerResidual, computed.largerResidual]) recycle(done.values);
    excluded += batch.excluded;
    nonFinite += batch.nonFinite;
    onRows(batch.end);
  }
  return { excluded, nonFinite, ...sums, insertion: insertion.sums() };
}
