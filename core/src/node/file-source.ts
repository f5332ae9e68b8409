import { type FileHandle, open, stat } from "node:fs/promises";
import { FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { checkRange } from "../formats/bytes-source.ts";
import { tryToOpen } from "./try-to-open.ts";

/** The most bytes that one call to the operating system is asked for; it refuses 2 GiB and more. */
const largestRead = 2 ** 30;

/** A file as a {@link ByteSource}, open until closed. */
export interface FileSource extends ByteSource {
  /** Close the file; reads reject from then on. */
  close(): Promise<void>;
}

/**
 * Open a file for reading ranges of its bytes. Rejects with {@link FormatError} when there is no such file or it is not
 * a regular file; reads reject with it when the range leaves the file or the file has become shorter since.
 */
export async function openFile(path: string): Promise<FileSource> {
  // Asked before opening, which would wait forever on a named pipe.
  const isFile = (await tryToOpen(path, () => stat(path))).isFile();
  if (!isFile) throw new FormatError(`Cannot open ${path}: expected a file, and it is a folder or a device`);
  const handle = await tryToOpen(path, () => open(path, "r"));
  const byteLength = (await handle.stat()).size;
  return {
    name: path,
    byteLength,
    async read(start, end) {
      checkRange(path, byteLength, start, end);
      const bytes = new Uint8Array(end - start);
      await fill(handle, bytes, start, path);
      return bytes;
    },
    close: () => handle.close(),
  };
}

async function fill(handle: FileHandle, bytes: Uint8Array, start: number, path: string): Promise<void> {
  let filled = 0;
  while (filled < bytes.length) {
    const length = Math.min(bytes.length - filled, largestRead);
    const { bytesRead } = await handle.read(bytes, filled, length, start + filled);
    if (bytesRead === 0) {
      throw new FormatError(
        `Cannot read bytes ${start} to ${start + bytes.length} of ${path}: it ends at ${start + filled}, ` +
          "it was longer when it was opened",
      );
    }
    filled += bytesRead;
  }
}
