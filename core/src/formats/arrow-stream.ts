import { FormatError, UnsupportedError } from "../errors.ts";
import { type ArrowField, parseArrowSchema } from "./arrow-schema.ts";
import type { ByteSource } from "./byte-source.ts";
import { FlatTable } from "./flat-table.ts";

/** Where the parts of one record batch lie. Nodes and buffers are in the depth-first order of the schema. */
export interface ArrowRecordBatch {
  /** Number of records. */
  readonly length: number;
  /** For each field, items of lists included: how many values it has, and how many of them are null. */
  readonly nodes: readonly (readonly [length: number, nulls: number])[];
  /** First byte and one past the last of each buffer, counted from the start of the file. */
  readonly buffers: readonly (readonly [start: number, end: number])[];
}

/** An open Arrow IPC file: its columns, and where the record batches lie. Values are read by range. */
export interface ArrowStream {
  readonly name: string;
  readonly fields: readonly ArrowField[];
  readonly batches: readonly ArrowRecordBatch[];
}

const schemaMessage = 1;
const dictionaryMessage = 2;
const recordBatchMessage = 3;

/** Metadata of one message beyond this is refused; a record batch of a hundred columns takes a few kilobytes. */
const largestMetadata = 16 * 2 ** 20;

/**
 * Open an Arrow IPC stream (or an Arrow file, which wraps one), reading the descriptions of its record batches and none of
 * their values. Rejects with {@link FormatError} when the file is not such a stream, is cut short or contradicts itself,
 * {@link UnsupportedError} when its batches are compressed.
 *
 * Format: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
 */
export async function openArrowStream(source: ByteSource): Promise<ArrowStream> {
  const { name } = source;
  let fields: readonly ArrowField[] | undefined;
  const batches: ArrowRecordBatch[] = [];
  let position = await streamStart(source);
  for (;;) {
    const message = await readMessage(source, position);
    if (message === undefined) break;
    const { table, label, bodyStart } = message;
    const bodyLength = table.length64(3);
    if (bodyLength > source.byteLength - bodyStart) {
      throw new FormatError(
        `${label} has a body of ${bodyLength} bytes, but only ${source.byteLength - bodyStart} follow: the file is cut short or damaged`,
      );
    }
    const header = table.table(2);
    const kind = table.uint8(1);
    if (header === undefined) throw new FormatError(`${label} is empty`);
    if (fields === undefined) {
      if (kind !== schemaMessage)
        throw new FormatError(`${label} is of kind ${kind}, expected a schema first`);
      fields = parseArrowSchema(header, label);
    } else if (kind === recordBatchMessage) {
      batches.push(parseRecordBatch(header, label, bodyStart, bodyLength));
    } else if (kind !== dictionaryMessage) {
      throw new FormatError(`${label} is of kind ${kind}, expected a record batch`);
    }
    position = bodyStart + bodyLength;
  }
  if (fields === undefined) throw new FormatError(`${name} is empty, expected an Arrow stream`);
  return { name, fields, batches };
}

/** An Arrow file has the stream between a magic word and a table of contents that is not needed. */
async function streamStart(source: ByteSource): Promise<number> {
  if (source.byteLength < 8) return 0;
  const magic = new TextDecoder().decode(await source.read(0, 6));
  return magic === "ARROW1" ? 8 : 0;
}

/** The message at `position`, or nothing when the stream ends there. */
async function readMessage(
  source: ByteSource,
  position: number,
): Promise<{ table: FlatTable; label: string; bodyStart: number } | undefined> {
  const { name, byteLength } = source;
  // A writer may end the stream by an empty message or by ending the file.
  if (position === byteLength) return undefined;
  const prefix = await source.read(position, Math.min(position + 8, byteLength));
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const label = `The Arrow message at byte ${position} of ${name}`;
  // Before Arrow 0.15 there was no marker before the length.
  const marked = prefix.length >= 4 && view.getInt32(0, true) === -1;
  if (prefix.length < (marked ? 8 : 4)) throw new FormatError(`${label} is cut short`);
  const length = view.getInt32(marked ? 4 : 0, true);
  if (length === 0) return undefined;
  const start = position + (marked ? 8 : 4);
  if (length < 0 || length > largestMetadata || length > byteLength - start) {
    throw new FormatError(
      `${label} states ${length} bytes of metadata, expected 1 to ${Math.min(largestMetadata, byteLength - start)}: not an Arrow stream, or damaged`,
    );
  }
  const table = FlatTable.root(await source.read(start, start + length), label);
  return { table, label, bodyStart: start + length };
}

function parseRecordBatch(
  header: FlatTable,
  label: string,
  bodyStart: number,
  bodyLength: number,
): ArrowRecordBatch {
  if (header.has(3)) throw new UnsupportedError(`${label} is compressed, expected plain buffers`);
  const buffers = header.lengthPairs(2).map(([offset, length]) => {
    if (length > bodyLength - offset) {
      throw new FormatError(
        `${label} has a buffer at bytes ${offset} to ${offset + length} of a body of ${bodyLength}`,
      );
    }
    return [bodyStart + offset, bodyStart + offset + length] as const;
  });
  return { length: header.length64(0), nodes: header.lengthPairs(1), buffers };
}
