import { type ByteSource, FormatError } from "@saestitch/core";

/** Bytes that are read at a time. */
const pieceBytes = 2 ** 20;

/** The bytes of a file from its beginning to its end, in pieces. Rejects as the source does. */
export async function* fileBytes(source: ByteSource): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let start = 0; start < source.byteLength; start += pieceBytes) {
    yield await source.read(start, Math.min(start + pieceBytes, source.byteLength));
  }
}

/**
 * What gzip has compressed, as it streams. Rejects with {@link FormatError} when the bytes of `name` are not gzip, damaged or cut off, and
 * as they do.
 */
export async function* gunzip(
  bytes: AsyncIterable<Uint8Array<ArrayBuffer>>,
  name: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const pieces = bytes[Symbol.asyncIterator]();
  // What went wrong with the file itself is no fault of its compression.
  let failure: { readonly cause: unknown } | undefined;
  const compressed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(stream) {
      try {
        const { done, value } = await pieces.next();
        if (done) stream.close();
        else stream.enqueue(value);
      } catch (cause) {
        failure = { cause };
        stream.error(cause);
      }
    },
    cancel: async () => void (await pieces.return?.()),
  });
  const reader = compressed.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (cause) {
    if (failure !== undefined) throw failure.cause;
    throw new FormatError(`${name} is not a gzip file, or it is damaged or cut off: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
