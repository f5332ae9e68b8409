import { mapBatches } from "../activations/map-batches.ts";
import type { CodedSample } from "../codes/coded-sample.ts";
import { UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { checkComparable } from "../sae/comparable.ts";
import { residual } from "../sae/encode.ts";
import { recycle } from "../tensor/shared.ts";
import { arrangeExchange, exchangedCode, type Swap } from "./exchange.ts";
import { addMoves, emptyTrajectorySums, type TrajectorySums } from "./trajectory-sums.ts";

/**
 * Measure, in one pass over the codes of a smaller and a larger SAE (`coded.saes`, in this order), what every one of `steps` changes
 * after all before it.
 *
 * All that moves is one dictionary in the order of the steps. Each token walks along its own entries, from the residual of the
 * smaller SAE: for an entry v along w the squared error changes by v²‖w‖² − 2v⟨w, r⟩, and r becomes r − v·w. Whatever the number of
 * steps, this costs about as much as decoding each SAE's codes, and nothing that grows with tokens is kept.
 *
 * Throws as `arrangeExchange` and {@link checkComparable} do, and UnsupportedError unless there are two SAEs.
 */
export async function measureTrajectory(
  coded: CodedSample,
  steps: readonly Swap[],
  kernels: Kernels,
  {
    onRows = () => {},
  }: {
    /** Called after every batch with the rows done so far. */
    readonly onRows?: (rows: number) => void;
  } = {},
): Promise<TrajectorySums> {
  if (coded.saes.length !== 2)
    throw new UnsupportedError(
      `A trajectory leads from one SAE to another; the codes are of ${coded.saes.length} SAEs, expected 2`,
    );
  checkComparable(coded.saes);
  const [smaller, larger] = coded.saes;
  const exchange = arrangeExchange(smaller, larger, steps);
  const sums = emptyTrajectorySums(coded.d, {
    smaller: smaller.decoder.rows,
    larger: larger.decoder.rows,
    positions: exchange.swap.length,
  });
  const walked = mapBatches(coded.batches(), async (batch) => {
    const [host, donor] = batch.codes;
    const exchanged = exchangedCode(exchange, host.contributions, donor.contributions);
    const [hostResidual, donorResidual] = await Promise.all([
      residual(smaller, batch.activations, host, kernels),
      residual(larger, batch.activations, donor, kernels),
    ]);
    const projections = await kernels.walk(exchanged, exchange.directions, hostResidual);
    return { batch, exchanged, projections, hostResidual, donorResidual };
  });
  for await (const { batch, exchanged, projections, hostResidual, donorResidual } of walked) {
    const [host, donor] = batch.codes;
    addMoves(sums, exchange.normsSquared, {
      activations: batch.activations,
      smaller: { code: host.contributions, residual: hostResidual },
      larger: { code: donor.contributions, residual: donorResidual },
      exchanged,
      projections,
      outputScale: host.outputScale,
    });
    for (const done of [batch.activations, hostResidual, donorResidual]) recycle(done.values);
    sums.excluded += batch.excluded;
    sums.nonFinite += batch.nonFinite;
    onRows(batch.end);
  }
  return sums;
}
