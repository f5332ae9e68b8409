import { mapBatches } from "../activations/map-batches.ts";
import type { CodedSample } from "../codes/coded-sample.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { InsertionAccumulator } from "../labelling/insertion-accumulator.ts";
import type { InsertionSums } from "../labelling/insertion-sums.ts";
import { residual } from "../sae/encode.ts";
import { recycle } from "../tensor/shared.ts";
import { exchangedCode } from "./exchange.ts";
import type { Family } from "./families.ts";
import { familyExchange, swapsAsInsertions } from "./family-swaps.ts";
import { addKinship, emptyKinshipSums, type Kinship, type KinshipSums } from "./kinship.ts";

/** What one pass over a coded sample says of families and of kinship; both parts are mergeable sums. */
export interface MeasuredSwaps {
  /** Of each family alone; see `familySwaps`. */
  readonly swaps: InsertionSums;
  readonly kinship: KinshipSums;
}

/**
 * Measure the swap of each of `families`, in which no latent occurs twice, and `kinship` between the two SAEs of `coded` (smaller, larger).
 * However many families there are, this costs about as much as decoding each SAE's codes. `onRows` is told the rows done after every batch.
 */
export async function measureSwaps(
  coded: CodedSample,
  families: readonly Family[],
  kinship: Kinship,
  kernels: Kernels,
  onRows: (rows: number) => void = () => {},
): Promise<MeasuredSwaps> {
  const [smaller, larger] = coded.saes;
  const exchange = familyExchange(smaller, larger, families);
  const swaps = new InsertionAccumulator(new Float64Array(families.length));
  const kinshipSums = emptyKinshipSums(kinship);
  const measured = mapBatches(coded.batches(), async (batch) => {
    const [host, donor] = batch.codes;
    const moved = exchangedCode(exchange, host.contributions, donor.contributions);
    const unexplained = await residual(smaller, batch.activations, host, kernels);
    const projections = await kernels.walk(moved, exchange.directions, unexplained, exchange.swap);
    for (const done of [batch.activations, unexplained]) recycle(done.values);
    return { batch, ...swapsAsInsertions(exchange, families.length, moved, projections) };
  });
  for await (const { batch, code, projections } of measured) {
    const [host, donor] = batch.codes.map(({ contributions }) => contributions);
    const { documentIds } = batch;
    swaps.add({ code, projections, ...(documentIds && { documentIds }) });
    addKinship(kinshipSums, kinship, host, donor);
    onRows(batch.end);
  }
  return { swaps: swaps.sums(), kinship: kinshipSums };
}
