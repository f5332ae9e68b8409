import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";

/**
 * Write a file whole or not at all: the chunks go to a temporary file (its name ends in ".tmp") in the same folder, which takes
 * the place of `path` only when all of it is on the disk. On any failure, of the disk or of `chunks`, the temporary
 * file is removed, what was at `path` before stays, and the returned promise rejects with an error that names `path`.
 */
export async function writeAtomically(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, "wx");
    try {
      for await (const chunk of chunks) await writeAll(handle, chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new Error(`Cannot write ${path}: ${reason(cause)}`, { cause });
  }
}

/** The operating system may take less than it is given, and then says why at the next attempt. */
async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    written += (await handle.write(chunk, written, chunk.length - written)).bytesWritten;
  }
}

function reason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  switch (code) {
    case "ENOSPC":
      return "the disk is full";
    case "EDQUOT":
      return "the disk quota is used up";
    case "EFBIG":
      return "the file is larger than the system allows";
    case "ENOENT":
      return "its folder does not exist";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "writing there is not permitted";
    case "EISDIR":
      return "it is a folder";
    default:
      return message ?? String(cause);
  }
}
