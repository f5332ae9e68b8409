import { ShapeError } from "../errors.ts";
import { zeros } from "../tensor/matrix.ts";
import type { ActivationShard } from "./activation-shard.ts";
import type { ActivationBatch, ActivationSource } from "./activation-source.ts";
import { type BatchRange, batchRanges, resolveBatchOptions } from "./batch-range.ts";
import { readAhead } from "./read-ahead.ts";

/** A shard, and where it stands among the others. */
interface Placed {
  readonly shard: ActivationShard;
  /** Its first row, and one past its last, in the whole sample. */
  readonly start: number;
  readonly end: number;
  /** Added to its document ids. */
  readonly firstSequence: number;
}

/**
 * Several shards, one after the other, as one source. Batches may span shards; the next batch is read while the consumer
 * works on the last. Activations lie in memory that threads can share, where the platform has it.
 *
 * A document is a run of equal ids: ids are given as they are stored, and a shard whose first id is the last one of the
 * shard before continues that document. Shards whose documents are sequences number them through.
 *
 * Throws {@link ShapeError} when the shards differ in d, or some have ids of documents or tokens and others have none;
 * shards without rows may do as they like.
 */
export function shardedSource(location: string, shards: readonly ActivationShard[]): ActivationSource {
  const first = shards.find((shard) => shard.rows > 0) ?? shards[0];
  if (first === undefined)
    throw new ShapeError(`Cannot read activations from ${location}: there are no shards`);
  const filled = shards.filter((shard) => shard.rows > 0);
  for (const shard of filled) checkAgreement(first, shard);

  const placed: Placed[] = [];
  let rows = 0;
  let sequences = 0;
  for (const shard of filled) {
    placed.push({ shard, start: rows, end: rows + shard.rows, firstSequence: sequences });
    rows += shard.rows;
    sequences += shard.sequences ?? 0;
  }
  const { d } = first;

  return {
    location,
    d,
    rows,
    batches(options) {
      const resolved = resolveBatchOptions({ location, rows }, options);
      return readAhead(batchRanges(resolved), (range) => readBatch(placed, d, range));
    },
  };
}

function checkAgreement(first: ActivationShard, other: ActivationShard): void {
  if (first.d !== other.d) {
    throw new ShapeError(
      `Cannot join activations of different width: d = ${first.d} in ${first.name}, d = ${other.d} in ${other.name}`,
    );
  }
  for (const [key, words] of [
    ["hasDocumentIds", "document ids"],
    ["hasTokenIds", "token ids"],
  ] as const) {
    if (first[key] === other[key]) continue;
    const [having, lacking] = first[key] ? [first, other] : [other, first];
    throw new ShapeError(
      `Cannot join ${having.name}, which has ${words}, and ${lacking.name}, which has none: expected all or no shards to have them`,
    );
  }
}

async function readBatch(
  placed: readonly Placed[],
  d: number,
  { start, end }: BatchRange,
): Promise<ActivationBatch> {
  const parts = placed.filter((part) => part.start < end && part.end > start);
  const rows = end - start;
  const activations = zeros(rows, d);
  const documentIds = parts[0].shard.hasDocumentIds ? new Int32Array(rows) : undefined;
  const tokenIds = parts[0].shard.hasTokenIds ? new Int32Array(rows) : undefined;
  let excluded: Uint8Array | undefined;
  for (const { shard, start: shardStart, end: shardEnd, firstSequence } of parts) {
    const from = Math.max(start, shardStart);
    const to = Math.min(end, shardEnd);
    const read = await shard.read(from - shardStart, to - shardStart);
    const at = from - start;
    activations.values.set(read.values, at * d);
    if (read.tokenIds !== undefined) tokenIds?.set(read.tokenIds, at);
    if (read.documentIds !== undefined) {
      documentIds?.set(read.documentIds, at);
      if (shard.sequences !== undefined && firstSequence > 0)
        for (let i = at; i < at + to - from; i++) documentIds![i] += firstSequence;
    }
    if (read.excluded !== undefined) {
      excluded ??= new Uint8Array(rows);
      excluded.set(read.excluded, at);
    }
  }
  return {
    start,
    activations,
    ...(documentIds && { documentIds }),
    ...(tokenIds && { tokenIds }),
    ...(excluded && { excluded }),
  };
}
