import { ZipWriter } from "@zip.js/zip.js";

/** One file of a zip archive to be written. */
export interface ZipEntry {
  /** "/"-separated. */
  readonly name: string;
  /** How many bytes `chunks` hold in all. */
  readonly byteLength: number;
  readonly chunks: Iterable<Uint8Array<ArrayBuffer>>;
}

/** The first moment that a zip archive can name, 1 January 1980, so that the same content gives the same bytes. */
const noDate = (1 << 21) | (1 << 16);

/**
 * Encode a zip archive of uncompressed files, each aligned to 64 bytes, while its chunks are taken. Two calls with the same
 * entries give the same bytes. What goes wrong in an entry's chunks rejects the archive's.
 */
export async function* encodeZip(entries: Iterable<ZipEntry>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let fail: (error: unknown) => void = () => {};
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    start(controller) {
      fail = (error) => controller.error(error);
    },
  });
  // Never awaited: it waits for the chunks to be taken, and its failure shows where they are.
  writeEntries(writable, entries).catch(fail);
  const reader = readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function writeEntries(writable: WritableStream, entries: Iterable<ZipEntry>): Promise<void> {
  const archive = new ZipWriter(writable, {
    level: 0,
    usdz: true,
    msDosCompatible: true,
    extendedTimestamp: false,
    rawLastModDate: noDate,
    useWebWorkers: false,
  });
  for (const { name, byteLength, chunks } of entries) {
    // Knowing the size, the archive does not take the 64-bit layout, which some readers lack, for small entries.
    const source = { readable: streamOf(chunks), size: byteLength };
    await archive.add(name, source);
  }
  await archive.close();
}

function streamOf(chunks: Iterable<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = chunks[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const next = iterator.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
  });
}
