import { columnSums, DataError } from "@saestitch/core";
import type { Hook, Model } from "../model.ts";
import { processActivations } from "../processing.ts";
import { tokenBatches } from "../tokens/token-batches.ts";
import type { TokenWindow } from "../tokens/token-window.ts";
import { includedRows } from "./included-rows.ts";
import type { LossOptions } from "./measure-loss.ts";

/**
 * The mean [d] of the processed activations of all tokens that are not excluded. Only the part of the model up to the hook is run.
 *
 * Rejects with {@link DataError} when no token is included or an activation is not finite, and with the reason of `signal`.
 */
export async function meanActivation(
  model: Pick<Model, "activations">,
  hook: Hook,
  windows: AsyncIterable<TokenWindow> | Iterable<TokenWindow>,
  { processing = { centred: false }, onTokens = () => {}, signal, ...sizes }: LossOptions = {},
): Promise<Float32Array> {
  const sum = new Float64Array(hook.d);
  let included = 0;
  let tokens = 0;
  for await (const { batch, windows: rows } of tokenBatches(windows, sizes)) {
    signal?.throwIfAborted();
    const own = await model.activations(hook, batch);
    const read = includedRows(own, rows, batch.length, hook.name ?? hook.tensor).activations;
    columnSums(processActivations(read, processing)).forEach((value, c) => {
      sum[c] += value;
    });
    included += read.rows;
    tokens += batch.lengths.reduce((total, length) => total + length, 0);
    onTokens(tokens);
  }
  if (included === 0)
    throw new DataError(`No token counts among ${tokens}; a mean activation needs one that is not excluded`);
  return Float32Array.from(sum, (value) => value / included);
}
