import { type ByteSource, FormatError } from "@saestitch/core";
import type { ColumnMetaData } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { type ColumnForm, dataValues, dictionaryValues, type PageHeader } from "./parquet-page.ts";
import { type StretchReader, stretchReader } from "./stretch-reader.ts";

/** Most bytes of one page's header, which may hold texts: the least and the greatest of the page. */
const largestHeader = 64 * 2 ** 20;

/**
 * The values of a flat column of byte arrays in one row group of `rows` rows, undefined for nulls. Of the file only the column's pages are
 * read, a few at a time; hyparquet's own reader would take the column whole, and believes the lengths that pages state.
 *
 * Rejects with {@link FormatError}, naming `place`, when the column is damaged.
 */
export async function* columnValues(
  source: ByteSource,
  metadata: ColumnMetaData,
  {
    rows,
    isOptional,
    place,
  }: { readonly rows: number; readonly isOptional: boolean; readonly place: string },
): AsyncGenerator<Uint8Array | undefined> {
  const damaged = (reason: string, cause?: unknown) =>
    new FormatError(`Cannot read ${place}: ${reason}`, { cause });
  const first = Number(metadata.dictionary_page_offset || metadata.data_page_offset);
  const end = first + Number(metadata.total_compressed_size);
  if (!(first >= 4 && first <= end && end <= source.byteLength)) {
    throw damaged(`its text lies at the bytes ${first} to ${end}, the file has ${source.byteLength}`);
  }

  if (!(Number.isSafeInteger(rows) && rows >= 0)) throw damaged(`it states ${rows} rows`);
  const form: ColumnForm = { codec: metadata.codec, isOptional };
  const reader = stretchReader(source, first, end);
  let dictionary: readonly Uint8Array[] = [];
  for (let row = 0; row < rows; ) {
    if (reader.left === 0) throw damaged(`its text ends after ${row} of ${rows} rows`);
    const header = await readHeader(reader, damaged);
    const size = header.compressed_page_size;
    if (!(Number.isInteger(size) && size >= 0 && size <= reader.left))
      throw damaged(`a page states ${size} bytes, ${reader.left} are left`);
    const page = (await reader.peek(size)).subarray(0, size);
    reader.skip(size);
    try {
      switch (header.type) {
        case "DICTIONARY_PAGE":
          dictionary = dictionaryValues(page, header, form);
          break;
        case "DATA_PAGE":
        case "DATA_PAGE_V2":
          for (const value of dataValues(page, header, { ...form, dictionary, mostRows: rows - row })) {
            row += 1;
            yield value;
          }
          break;
        case "INDEX_PAGE":
          break;
        default:
          header.type satisfies never;
          throw new Error(`a page is of the unknown type ${header.type}`);
      }
    } catch (cause) {
      throw damaged((cause as Error).message, cause);
    }
  }
}

async function readHeader(
  reader: StretchReader,
  damaged: (reason: string, cause: unknown) => FormatError,
): Promise<PageHeader> {
  for (let size = 2 ** 12; ; size *= 4) {
    const bytes = await reader.peek(size);
    const position = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
    try {
      const header = parquetHeader(position);
      reader.skip(position.offset);
      return header;
    } catch (cause) {
      // It may go on after what has been read of it.
      if (bytes.length >= Math.min(reader.left, largestHeader))
        throw damaged(`a page has no header: ${(cause as Error).message}`, cause);
    }
  }
}
