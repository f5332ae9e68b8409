import {
  type ActivationSource,
  DataError,
  encode,
  foldInputScale,
  type Kernels,
  mapBatches,
  mergeSaes,
  recycle,
  type Sae,
  ShapeError,
  usableRows,
} from "@saestitch/core";
import { collectExamples, type ExampleOptions } from "./collect-examples.ts";
import type { LatentExamples } from "./latent-record.ts";
import type { ExampleBatch } from "./row-window.ts";

/** How a sample is read for examples, and which are wanted. */
export interface FindExamplesOptions extends ExampleOptions {
  /** Read the rows before this one. Default all. */
  readonly end?: number;
  readonly batchRows?: number;
  /** Leave out rows with NaN or infinite values instead of refusing them. */
  readonly skipNonFinite?: boolean;
  /** Called after every batch with the rows done so far. */
  readonly onRows?: (rows: number) => void;
}

/** Where some latents of an SAE fire on a sample. */
export interface FoundExamples {
  /** Rows that count. */
  readonly tokens: number;
  /** Rows that the source leaves out. */
  readonly excluded: number;
  /** Rows left out because they hold NaN or infinite values. */
  readonly nonFinite: number;
  /** In the order in which they were asked for. */
  readonly latents: readonly (LatentExamples & { readonly latent: number })[];
}

/**
 * Find where some latents of `sae` fire on a sample, in one pass and in memory that does not grow with it. Only these latents are encoded, except
 * those of a TopK SAE, which compete with all others.
 *
 * Rejects with {@link DataError} when the sample does not know its tokens, {@link ShapeError} for a latent that the SAE does not have, and
 * activations of another width; as {@link usableRows} and {@link encode} do.
 */
export async function findExamples(
  sae: Sae,
  latents: readonly number[],
  source: ActivationSource,
  kernels: Kernels,
  {
    end = source.rows,
    batchRows = 2048,
    skipNonFinite = false,
    onRows = () => {},
    ...wanted
  }: FindExamplesOptions = {},
): Promise<FoundExamples> {
  const m = sae.decoder.rows;
  const missing = latents.find((latent) => !(Number.isInteger(latent) && latent >= 0 && latent < m));
  if (missing !== undefined)
    throw new ShapeError(`Cannot find examples of latent ${missing}: the SAE has the latents 0 to ${m - 1}`);
  const part = onlyLatents(sae, latents);
  let excluded = 0;
  let nonFinite = 0;

  const encoded = mapBatches(source.batches({ end, batchRows }), async (batch) => {
    const { start, activations, tokenIds, documentIds } = batch;
    if (tokenIds === undefined)
      throw new DataError(
        `Cannot find examples in ${source.location}: its rows have no token ids, which say what text they are of`,
      );
    const usable = usableRows(batch, source.location, { skipNonFinite });
    const { code } = await encode(part.sae, usable.activations, kernels);
    const end = start + activations.rows;
    for (const matrix of new Set([activations, usable.activations])) recycle(matrix.values);
    const found: ExampleBatch = {
      tokenIds,
      ...(documentIds && { documentIds }),
      code,
      ...(usable.rows && { counted: usable.rows.map((row) => row - start) }),
    };
    return { found, end, excluded: usable.excluded, nonFinite: usable.nonFinite };
  });

  async function* batches(): AsyncGenerator<ExampleBatch> {
    for await (const batch of encoded) {
      excluded += batch.excluded;
      nonFinite += batch.nonFinite;
      yield batch.found;
      onRows(batch.end);
    }
  }
  const { tokens, latents: examples } = await collectExamples(batches(), part.columns, wanted);
  return {
    tokens,
    excluded,
    nonFinite,
    latents: examples.map((found, i) => ({ latent: latents[i], ...found })),
  };
}

/** An SAE that has some latents of another, and fires on them as that does; and which of its latents they are. */
function onlyLatents(
  sae: Sae,
  latents: readonly number[],
): { readonly sae: Sae; readonly columns: readonly number[] } {
  if (sae.activation.kind === "topk" || latents.length === 0) return { sae, columns: latents };
  const { normalization } = sae;
  const isScaled = normalization.kind === "expected-average" && normalization.factor !== null;
  const plain = isScaled ? foldInputScale(sae) : sae;
  const chosen = latents.map((latent) => ({ sae: 0, latent }));
  return {
    sae: mergeSaes([plain], chosen, { decoderBias: plain.decoderBias }),
    columns: latents.map((_, i) => i),
  };
}
