import { FormatError, ShapeError } from "../errors.ts";
import { describeShape, type ReadOptions } from "../formats/shape.ts";
import type { ActivationShard } from "./activation-shard.ts";

/** An array on disk whose rows can be read. */
export interface StoredArray<Values> {
  /** The array and its file, for error messages. */
  readonly label: string;
  readonly shape: readonly number[];
  read(options: ReadOptions): Promise<Values>;
}

/** The arrays that make up a shard. All but the activations have one number for each row. */
export interface StoredArrays {
  /** [n × d] or [sequences × context × d] */
  readonly activations: StoredArray<Float32Array>;
  /** Without it the sequences of three axes are the documents. */
  readonly documentIds?: StoredArray<Int32Array> | undefined;
  readonly tokenIds?: StoredArray<Int32Array> | undefined;
  /** Rows that are not 0 must not count. */
  readonly excluded?: StoredArray<Int32Array> | undefined;
  /** Rows that are 0 must not count. */
  readonly mask?: StoredArray<Int32Array> | undefined;
}

/**
 * The arrays of one file as a shard. Throws FormatError when the activations have another shape, ShapeError when an
 * array beside them does not have one number for each row, in one axis or as [sequences × context].
 */
export function storedShard(name: string, arrays: StoredArrays): ActivationShard {
  const { activations, documentIds, tokenIds, excluded, mask } = arrays;
  const { rows, d, sequences } = activationShape(activations);
  for (const array of [documentIds, tokenIds, excluded, mask]) {
    if (array !== undefined) checkPerRow(array, rows, activations.label);
  }
  const numbered = documentIds === undefined && sequences !== undefined;

  return {
    name,
    d,
    rows,
    ...(numbered && { sequences }),
    hasDocumentIds: documentIds !== undefined || numbered,
    hasTokenIds: tokenIds !== undefined,
    async read(start, end) {
      const perRow = (array: StoredArray<Int32Array> | undefined) => array && readRows(array, start, end, 1);
      const values = await readRows(activations, start, end, d);
      const documents = numbered ? sequenceIds(start, end, rows / sequences) : await perRow(documentIds);
      const tokens = await perRow(tokenIds);
      const marks = await perRow(excluded);
      const kept = await perRow(mask);
      return {
        values,
        ...(documents && { documentIds: documents }),
        ...(tokens && { tokenIds: tokens }),
        ...((marks || kept) && {
          excluded: Uint8Array.from({ length: end - start }, (_, i) =>
            marks?.[i] || kept?.[i] === 0 ? 1 : 0,
          ),
        }),
      };
    },
  };
}

/** The ids of rows `start` to `end` when each `context` rows are a document: the number of the sequence. */
export function sequenceIds(start: number, end: number, context: number): Int32Array {
  return Int32Array.from({ length: end - start }, (_, i) => Math.floor((start + i) / context));
}

function activationShape({ label, shape }: StoredArray<unknown>): {
  rows: number;
  d: number;
  sequences?: number | undefined;
} {
  const d = shape[shape.length - 1];
  const rows = count(shape.slice(0, -1));
  if ((shape.length === 2 || shape.length === 3) && d > 0 && Number.isSafeInteger(rows))
    return { rows, d, sequences: shape.length === 3 ? shape[0] : undefined };
  throw new FormatError(
    `${label} has the shape ${describeShape(shape)}, expected activations [rows, d] or [sequences, context, d]`,
  );
}

function checkPerRow({ label, shape }: StoredArray<unknown>, rows: number, of: string): void {
  if ((shape.length === 1 || shape.length === 2) && count(shape) === rows) return;
  throw new ShapeError(
    `${label} has the shape ${describeShape(shape)}, expected one number for each of the ${rows} rows of ${of}`,
  );
}

/**
 * The values of rows `start` to `end`, where a row is `width` numbers. An array of more axes is read in whole steps of its
 * first axis, and cut.
 */
async function readRows<Values extends Float32Array | Int32Array>(
  { shape, read }: StoredArray<Values>,
  start: number,
  end: number,
  width: number,
): Promise<Values> {
  const rowsPerStep = count(shape.slice(1)) / width;
  const first = Math.floor(start / rowsPerStep);
  const values = await read({ rows: [first, Math.ceil(end / rowsPerStep)] });
  const skipped = first * rowsPerStep;
  return values.subarray((start - skipped) * width, (end - skipped) * width) as Values;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
