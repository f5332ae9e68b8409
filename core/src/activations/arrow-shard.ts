import { FormatError } from "../errors.ts";
import {
  type ArrowColumn,
  type ArrowLevel,
  arrowColumns,
  arrowDType,
  describeColumn,
  firstItem,
  readElements,
} from "../formats/arrow-column.ts";
import { type ArrowRecordBatch, type ArrowStream, openArrowStream } from "../formats/arrow-stream.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { type DType, dtypeBytes, toFloat32, toInt32 } from "../tensor/dtype.ts";
import type { ActivationShard, ShardRows } from "./activation-shard.ts";
import { sequenceIds } from "./stored-shard.ts";

/** A shard of an Arrow file, and the column its activations came from. */
export interface ArrowShard extends ActivationShard {
  readonly column: string;
}

/** Numbers within lists: the lists from the outside in, and the numbers themselves. */
interface NestedNumbers {
  readonly lists: readonly ArrowLevel[];
  readonly numbers: ArrowLevel;
  readonly dtype: DType;
  /** Items of every list, for each level of `lists`. */
  readonly sizes: readonly number[];
}

/** A record batch, and the rows of the file that it holds. */
interface PlacedBatch {
  readonly batch: ArrowRecordBatch;
  readonly start: number;
  readonly end: number;
}

/**
 * Open an Arrow file whose records are sequences: one column of [context × d] floats (lists of lists), by default the only
 * one of that kind, and optionally `token_ids`, [context] integers. Each record is a document. Only the bytes of wanted
 * rows are read.
 *
 * Rejects with FormatError, naming the columns, when there is no such column; when the lists differ in length, there are
 * nulls, or the file is damaged.
 */
export async function openArrowShard(
  source: ByteSource,
  { column }: { readonly column?: string | undefined } = {},
): Promise<ArrowShard> {
  const stream = await openArrowStream(source);
  const columns = arrowColumns(stream.fields);
  const chosen = chooseColumn(columns, stream.name, column);
  const activations = nestedNumbers(stream, chosen);
  const [context, d] = activations.sizes;
  const tokenColumn = columns.find(isTokenColumn);
  const tokens = tokenColumn && nestedNumbers(stream, tokenColumn);
  if (
    tokens !== undefined &&
    stream.batches.some(({ length }) => length > 0) &&
    tokens.sizes[0] !== context
  ) {
    throw new FormatError(
      `${stream.name} has ${tokens.sizes[0]} token ids and ${context} activations in a record, expected as many`,
    );
  }
  const placed: PlacedBatch[] = [];
  let rows = 0;
  for (const batch of stream.batches) {
    placed.push({ batch, start: rows, end: rows + batch.length * context });
    rows += batch.length * context;
  }

  return {
    name: source.name,
    column: chosen.name,
    d,
    rows,
    sequences: context === 0 ? 0 : rows / context,
    hasDocumentIds: true,
    hasTokenIds: tokens !== undefined,
    async read(start, end): Promise<ShardRows> {
      const values = new Float32Array((end - start) * d);
      const tokenIds = tokens && new Int32Array(end - start);
      for (const part of placed) {
        const from = Math.max(start, part.start);
        const to = Math.min(end, part.end);
        if (from >= to) continue;
        const at = { from: from - part.start, to: to - part.start };
        const bytes = await readRows(source, part.batch, activations, at.from, at.to);
        values.set(toFloat32(bytes, activations.dtype, { name: source.name }), (from - start) * d);
        if (tokens !== undefined) {
          const tokenBytes = await readRows(source, part.batch, tokens, at.from, at.to);
          tokenIds?.set(toInt32(tokenBytes, tokens.dtype, { name: source.name }), from - start);
        }
      }
      return { values, documentIds: sequenceIds(start, end, context), ...(tokenIds && { tokenIds }) };
    },
  };
}

function chooseColumn(
  columns: readonly ArrowColumn[],
  name: string,
  wanted: string | undefined,
): ArrowColumn {
  const candidates = columns.filter(
    (column) => isNumbersIn(column, 2, "F") && (wanted === undefined || column.name === wanted),
  );
  if (candidates.length === 1) return candidates[0];
  const named = wanted === undefined ? "one column" : `a column ${JSON.stringify(wanted)}`;
  const seen = columns.slice(0, 20).map(describeColumn).join(", ");
  throw new FormatError(
    `Cannot tell which column of ${name} holds activations: expected ${named} of lists of lists of floats, ` +
      `found ${candidates.length} among ${seen || "no columns"}`,
  );
}

function isTokenColumn(column: ArrowColumn): boolean {
  return column.name === "token_ids" && (isNumbersIn(column, 1, "I") || isNumbersIn(column, 1, "U"));
}

/** Whether a column holds numbers of a kind within this many lists. */
function isNumbersIn({ levels }: ArrowColumn, lists: number, kind: "F" | "I" | "U"): boolean {
  return (
    levels.length === lists + 1 &&
    levels.every(({ type }, i) => i === lists || type.kind === "list" || type.kind === "fixed-size-list") &&
    arrowDType(levels[lists].type)?.startsWith(kind) === true
  );
}

/** Check what the record batches say of a column, and learn how long its lists are. */
function nestedNumbers({ name, batches }: ArrowStream, column: ArrowColumn): NestedNumbers {
  const { levels } = column;
  const numbers = levels[levels.length - 1];
  const lists = levels.slice(0, -1);
  let sizes: number[] | undefined;
  for (const { length, nodes, buffers } of batches) {
    if (length === 0) continue;
    const label = `${name} has a batch of ${length} records whose column ${describeColumn(column)}`;
    if (levels.some(({ node }) => nodes[node]?.[1] > 0))
      throw new FormatError(`${label} has nulls, expected none`);
    const counts = levels.map(({ node }) => nodes[node]?.[0]);
    const found = lists.map((_, i) => counts[i + 1] / counts[i]);
    sizes ??= found;
    const isRegular = found.every((size, i) => Number.isSafeInteger(size) && size > 0 && size === sizes?.[i]);
    if (counts[0] !== length || !isRegular)
      throw new FormatError(`${label} counts ${counts.join(", ")} values, expected lists of one length`);
    if (!levels.every((level, i) => hasItems(level, counts[i], found[i], buffers)))
      throw new FormatError(`${label} does not have the bytes for ${counts.join(", ")} values`);
  }
  // A file without records need not tell; nothing is read from it.
  sizes ??= lists.map(({ type }) => (type.kind === "fixed-size-list" ? type.size : 0));
  return { lists, numbers, dtype: arrowDType(numbers.type) as DType, sizes };
}

/** Whether a batch has the bytes for this many items of a level, or its type promises lists of this size. */
function hasItems(
  { type, buffer }: ArrowLevel,
  count: number,
  size: number,
  buffers: ArrowRecordBatch["buffers"],
): boolean {
  if (type.kind === "fixed-size-list") return type.size === size;
  const [start, end] = buffers[buffer + 1] ?? [0, 0];
  const offsets = type.kind === "list" ? type.offsetBits / 8 : 0;
  const dtype = arrowDType(type);
  return end - start >= (dtype === undefined ? (count + 1) * offsets : count * dtypeBytes[dtype]);
}

/** The bytes of rows `start` to `end` of a batch, where a row is an item of the outermost lists. */
async function readRows(
  source: ByteSource,
  batch: ArrowRecordBatch,
  { lists: [records, ...inner], numbers, dtype, sizes: [context, width = 1] }: NestedNumbers,
  start: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const record = Math.floor(start / context);
  const recordItems = await firstItem(
    source,
    batch,
    records,
    record,
    Math.ceil(end / context) - record,
    context,
  );
  let first = recordItems + start - record * context;
  for (const list of inner) first = await firstItem(source, batch, list, first, end - start, width);
  return await readElements(source, batch.buffers[numbers.buffer + 1], dtype, first, (end - start) * width);
}
