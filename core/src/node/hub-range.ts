import type { ByteSource } from "../formats/byte-source.ts";
import { checkRange } from "../formats/bytes-source.ts";
import { HubContentError, HubUnreachableError } from "./hub-error.ts";
import { bodyChunks, type HubConnection, request, retry } from "./hub-request.ts";

/**
 * A file of `byteLength` bytes at `url` as a {@link ByteSource} that asks for the ranges it is read in. What has arrived of a range
 * before the connection broke is kept. Reads reject with FormatError when the range leaves the file, with {@link HubUnreachableError}
 * when the connection keeps breaking, and with {@link HubContentError} when the answer is another range, or none.
 */
export function rangedFile(
  name: string,
  url: string,
  byteLength: number,
  connection: HubConnection,
): ByteSource {
  return {
    name,
    byteLength,
    async read(start, end) {
      checkRange(name, byteLength, start, end);
      const bytes = new Uint8Array(end - start);
      let filled = 0;
      await retry(
        connection.retryDelays,
        async () => {
          if (filled === bytes.length) return;
          const from = start + filled;
          for await (const chunk of rangeOf(url, { start: from, end, byteLength }, connection)) {
            if (filled + chunk.length > bytes.length) {
              throw new HubContentError(`Cannot read ${url}: it goes on after the bytes ${from} to ${end}`);
            }
            bytes.set(chunk, filled);
            filled += chunk.length;
          }
          if (filled < bytes.length) {
            throw new HubUnreachableError(
              `Cannot read ${url}: the answer ended after ${filled} of ${bytes.length} bytes`,
            );
          }
        },
        () => filled,
      );
      return bytes;
    },
  };
}

/** A range of a file: bytes `start` to `end` (exclusive) of `byteLength`. */
interface FileRange {
  readonly start: number;
  readonly end: number;
  readonly byteLength: number;
}

async function* rangeOf(
  url: string,
  range: FileRange,
  connection: HubConnection,
): AsyncGenerator<Uint8Array> {
  const { start, end, byteLength } = range;
  // Compressed answers have no ranges, and no length to check.
  const headers = { "Accept-Encoding": "identity", Range: `bytes=${start}-${end - 1}` };
  const response = await request(url, { headers }, connection);
  try {
    const isWhole = start === 0 && end === byteLength;
    const wrong =
      response.status === 206 || isWhole
        ? wrongRange(response, range)
        : `asked for the bytes ${start} to ${end}, the answer has status ${response.status} and is no range`;
    if (wrong !== undefined) throw new HubContentError(`Cannot read ${url}: ${wrong}`);
    yield* bodyChunks(response, url);
  } finally {
    await response.body?.cancel().catch(() => {});
  }
}

/** What is wrong with what a response says it holds; undefined when it is the range asked for, or the whole file. */
export function wrongRange(
  { status, headers }: Response,
  { start, end, byteLength }: FileRange,
): string | undefined {
  const encoding = headers.get("Content-Encoding");
  if (status === 206) {
    const range = headers.get("Content-Range");
    const wanted = `bytes ${start}-${end - 1}/${byteLength}`;
    if (encoding !== null && encoding !== "identity") return `the range is compressed (${encoding})`;
    return range === wanted
      ? undefined
      : `expected the range ${wanted}, the answer holds ${range ?? "no named range"}`;
  }
  if (status !== 200) return `expected status 200 or 206, got ${status}`;
  const length = headers.get("Content-Length");
  const isExact = encoding === null || encoding === "identity";
  return !isExact || length === null || Number(length) === byteLength
    ? undefined
    : `expected ${byteLength} bytes, the answer has ${length}`;
}
