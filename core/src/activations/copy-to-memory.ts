import { rowRange, zeros } from "../tensor/matrix.ts";
import type { ActivationSource } from "./activation-source.ts";
import { type BatchOptions, resolveBatchOptions } from "./batch-range.ts";
import { activationsInMemory } from "./in-memory.ts";

/**
 * The rows `start` to `end` (exclusive, default all) of a sample as a sample of their own, read once and kept: for rows that are
 * read many times and dear to make. Document ids, token ids and the mask are those of the rows.
 */
export async function copyToMemory(
  source: ActivationSource,
  { location = source.location, ...range }: BatchOptions & { readonly location?: string } = {},
): Promise<ActivationSource> {
  const resolved = resolveBatchOptions(source, range);
  const rows = resolved.end - resolved.start;
  const activations = zeros(rows, source.d);
  const documentIds = new Int32Array(rows);
  const tokenIds = new Int32Array(rows);
  const excluded = new Uint8Array(rows);
  let known: { readonly documentIds: boolean; readonly tokenIds: boolean } | undefined;
  for await (const batch of source.batches(resolved)) {
    const at = batch.start - resolved.start;
    rowRange(activations, at, at + batch.activations.rows).values.set(batch.activations.values);
    if (batch.documentIds) documentIds.set(batch.documentIds, at);
    if (batch.tokenIds) tokenIds.set(batch.tokenIds, at);
    if (batch.excluded) excluded.set(batch.excluded, at);
    known ??= { documentIds: batch.documentIds !== undefined, tokenIds: batch.tokenIds !== undefined };
  }
  return activationsInMemory(activations, {
    location,
    ...(known?.documentIds && { documentIds }),
    ...(known?.tokenIds && { tokenIds }),
    ...(excluded.includes(1) && { excluded }),
  });
}
