import { type ByteSource, FormatError } from "@saestitch/core";
import { type FileMetaData, parquetMetadata } from "hyparquet";

/** Read at first, in the hope that the whole footer is in it. */
const firstRead = 64 * 2 ** 10;
/** Most bytes of a footer. */
const largestFooter = 256 * 2 ** 20;
/** What follows the metadata: its length, and the four letters. */
const trailer = 8;

/** Read the metadata at the end of a Parquet file. Rejects with {@link FormatError} when it is not one, or is damaged or cut off. */
export async function readFooter(source: ByteSource): Promise<FileMetaData> {
  const { name, byteLength } = source;
  // The letters stand at both ends.
  if (byteLength < trailer + 4) {
    throw new FormatError(`${name} is not a Parquet file: it has ${byteLength} bytes`);
  }
  const start = Math.max(0, byteLength - firstRead);
  const end = await source.read(start, byteLength);
  if (letters(end.subarray(-4)) !== "PAR1") {
    const first = letters(await source.read(0, 4));
    if (first === "PAR1")
      throw new FormatError(`${name} is cut off: it begins as a Parquet file and does not end as one`);
    throw new FormatError(`${name} is not a Parquet file: it begins with ${JSON.stringify(first)}`);
  }
  const length = trailer + new DataView(end.buffer, end.byteOffset).getUint32(end.length - trailer, true);
  if (length > Math.min(byteLength - 4, largestFooter)) {
    throw new FormatError(`${name} is damaged: it states ${length} bytes of metadata and has ${byteLength}`);
  }
  const footer =
    length <= end.length ? end.subarray(-length) : await source.read(byteLength - length, byteLength);
  try {
    return parquetMetadata(footer, { geoparquet: false, parsers: { jsonFromBytes: (bytes) => bytes } });
  } catch (cause) {
    throw new FormatError(`${name} is damaged: its metadata cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function letters(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
