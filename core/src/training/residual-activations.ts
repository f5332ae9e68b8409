import type { ActivationBatch, ActivationSource } from "../activations/activation-source.ts";
import { mapBatches } from "../activations/map-batches.ts";
import { usableRows } from "../activations/usable-rows.ts";
import { ShapeError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { encode, residual } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import { selectionOf } from "../sae/selection.ts";
import { row } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";

/**
 * The same sample with x − x̂ of `sae` in place of x: what is left for a boosted SAE to learn. Made anew whenever it is read.
 *
 * Ids, marks and row numbers stay. Rows that are excluded, or hold NaN or infinite values, stay as they are. Throws {@link ShapeError}
 * when the SAE reads activations of another width; reading rejects as `encode` does.
 */
export function residualActivations(sae: Sae, source: ActivationSource, kernels: Kernels): ActivationSource {
  const name = sae.origin.location ?? "an SAE";
  if (source.d !== sae.decoder.columns)
    throw new ShapeError(
      `Cannot take the residual of ${source.location}, of width ${source.d}, with ${name} of width ${sae.decoder.columns}`,
    );
  const selection = selectionOf(sae);

  async function residualOf(batch: ActivationBatch): Promise<ActivationBatch> {
    const { activations: x, rows } = usableRows(batch, source.location, { skipNonFinite: true });
    if (x.rows === 0) return batch;
    const unexplained = await residual(sae, x, await encode(sae, x, kernels, { selection }), kernels);
    recycle(x.values);
    if (rows === undefined) return { ...batch, activations: unexplained };
    for (let i = 0; i < rows.length; i++)
      row(batch.activations, rows[i] - batch.start).set(row(unexplained, i));
    recycle(unexplained.values);
    return batch;
  }

  return {
    location: `the residual of ${source.location} after ${name}`,
    d: source.d,
    rows: source.rows,
    batches: (options) => mapBatches(source.batches(options), residualOf),
  };
}
