import type { CompressionCodec, Compressors } from "hyparquet";
import type { parquetHeader } from "hyparquet/src/column.js";
import { decompressPage } from "hyparquet/src/datapage.js";
import { compressors, decompressZstd } from "hyparquet-compressors";
import { decodeRuns } from "./parquet-runs.ts";
import { deltaByteArrays, deltaLengthByteArrays, plainByteArrays } from "./parquet-values.ts";

/** What stands before a page. */
export type PageHeader = ReturnType<typeof parquetHeader>;

/** How a flat column of byte arrays is written. */
export interface ColumnForm {
  readonly codec: CompressionCodec;
  /** Whether values may be null. */
  readonly isOptional: boolean;
}

/** Most bytes of one page without compression, and most values of one: room is made before they can be checked. */
const largestPage = 2 ** 30;
const mostValues = 2 ** 24;

/** The library's own Zstandard makes as much room as the file asks for. */
const boundedCompressors: Compressors = {
  ...compressors,
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
};

/** The values of a dictionary page. Throws an Error with the reason when it is damaged. */
export function dictionaryValues(page: Uint8Array, header: PageHeader, { codec }: ColumnForm): Uint8Array[] {
  const { num_values: count = -1 } = header.dictionary_page_header ?? {};
  const bytes = decompress(page, header.uncompressed_page_size, codec);
  return [...plainByteArrays(bytes, checkCount(count, mostValues))];
}

/**
 * The values of a data page, undefined for nulls; of one row each. Throws an Error with the reason when it is damaged or has more than
 * `mostRows`.
 */
export function* dataValues(
  page: Uint8Array,
  header: PageHeader,
  {
    dictionary,
    mostRows,
    ...form
  }: ColumnForm & { readonly dictionary: readonly Uint8Array[]; readonly mostRows: number },
): Generator<Uint8Array | undefined> {
  const { count, encoding, bytes, levels } = openPage(page, header, form, mostRows);
  const present = levels === undefined ? count : levels.reduce((sum, level) => sum + level, 0);
  const values = decodeValues(bytes, encoding, present, dictionary);
  if (levels === undefined) return yield* values;
  for (const level of levels) yield level === 0 ? undefined : values.next().value;
}

interface OpenedPage {
  readonly count: number;
  readonly encoding: string;
  /** The values that are not null, without compression. */
  readonly bytes: Uint8Array;
  /** [count]: 0 for a null; absent where no value can be one. */
  readonly levels: Uint32Array | undefined;
}

function openPage(page: Uint8Array, header: PageHeader, form: ColumnForm, mostRows: number): OpenedPage {
  const { codec, isOptional } = form;
  const size = header.uncompressed_page_size;
  if (header.data_page_header_v2 !== undefined) {
    // Its levels are not compressed, and it says how long they are.
    const { num_values, encoding, is_compressed, ...lengths } = header.data_page_header_v2;
    const count = checkCount(num_values, mostRows);
    const repetition = checkLength(lengths.repetition_levels_byte_length, page.length);
    const before = repetition + checkLength(lengths.definition_levels_byte_length, page.length - repetition);
    const values = page.subarray(before);
    const bytes = is_compressed === false ? values : decompress(values, size - before, codec);
    const levels = isOptional ? decodeRuns(page.subarray(repetition, before), 1, count) : undefined;
    return { count, encoding, bytes, levels };
  }
  const { num_values, encoding = "", definition_level_encoding } = header.data_page_header ?? {};
  const count = checkCount(num_values ?? -1, mostRows);
  const bytes = decompress(page, size, codec);
  if (!isOptional) return { count, encoding, bytes, levels: undefined };
  if (definition_level_encoding !== "RLE")
    throw new Error(`a page says in ${definition_level_encoding} which values are null, expected RLE`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const before = 4 + checkLength(view.getUint32(0, true), bytes.length - 4);
  const levels = decodeRuns(bytes.subarray(4, before), 1, count);
  return { count, encoding, bytes: bytes.subarray(before), levels };
}

function decodeValues(
  bytes: Uint8Array,
  encoding: string,
  count: number,
  dictionary: readonly Uint8Array[],
): Iterator<Uint8Array> & Iterable<Uint8Array> {
  switch (encoding) {
    case "PLAIN":
      return plainByteArrays(bytes, count);
    case "PLAIN_DICTIONARY":
    case "RLE_DICTIONARY":
      return dictionaryEntries(bytes, count, dictionary);
    case "DELTA_LENGTH_BYTE_ARRAY":
      return deltaLengthByteArrays(bytes, count);
    case "DELTA_BYTE_ARRAY":
      return deltaByteArrays(bytes, count);
    default:
      throw new Error(`a page is encoded as ${encoding}, which byte arrays cannot be`);
  }
}

function* dictionaryEntries(
  bytes: Uint8Array,
  count: number,
  dictionary: readonly Uint8Array[],
): Generator<Uint8Array> {
  if (count === 0) return;
  for (const index of decodeRuns(bytes.subarray(1), bytes[0], count)) {
    const value = dictionary[index];
    if (value === undefined)
      throw new Error(`a page names the entry ${index} of a dictionary of ${dictionary.length}`);
    yield value;
  }
}

function decompress(bytes: Uint8Array, size: number, codec: CompressionCodec): Uint8Array {
  if (!(Number.isInteger(size) && size >= 0 && size <= largestPage))
    throw new Error(`a page states ${size} bytes, expected at most ${largestPage}`);
  // Not every decompressor knows how to make nothing of nothing.
  return size === 0 ? new Uint8Array(0) : decompressPage(bytes, size, codec, boundedCompressors);
}

function checkCount(count: number, most: number): number {
  if (Number.isInteger(count) && count >= 0 && count <= Math.min(most, mostValues)) return count;
  throw new Error(`a page states ${count} values, expected at most ${Math.min(most, mostValues)}`);
}

function checkLength(length: number, left: number): number {
  if (Number.isInteger(length) && length >= 0 && length <= left) return length;
  throw new Error(`a page states ${length} bytes of levels, ${left} are left`);
}
