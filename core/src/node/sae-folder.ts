import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FormatError } from "../errors.ts";
import type { SaeFiles } from "../sae/dialects/dialect.ts";
import { dialects } from "../sae/dialects/index.ts";
import { type FileSource, openFile } from "./file-source.ts";

/** The files of an SAE on disk; those opened stay open until `close`. */
export interface SaeFolder extends SaeFiles {
  /** Close every file that was opened. */
  close(): Promise<void>;
}

/**
 * The files of the SAE in a folder, given the folder or a file of the SAE in it. A file that no dialect knows by name stands
 * alone. Rejects with {@link FormatError} when there is nothing at `path`.
 */
export async function openSaeFolder(path: string): Promise<SaeFolder> {
  const isFolder = await isFolderAt(path);
  const fileNames = dialects.flatMap((dialect) => dialect.fileNames);
  const alone = !isFolder && !fileNames.includes(basename(path));
  const folder = resolve(isFolder ? path : dirname(path));
  const names = alone ? [basename(path)] : await namesIn(folder);
  const opened: FileSource[] = [];
  return {
    // The whole path, since a dialect may read layer and L0 from the folders above.
    location: alone ? join(folder, basename(path)) : folder,
    async list() {
      return names;
    },
    async open(name) {
      const source = await openFile(join(folder, name));
      opened.push(source);
      return source;
    },
    async close() {
      await Promise.all(opened.splice(0).map((source) => source.close()));
    },
  };
}

async function isFolderAt(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT"
        ? `there is nothing there; expected a folder or a file of an SAE: ${dialects.map((dialect) => dialect.fileNames.join(", ")).join(", or ")}`
        : message;
    throw new FormatError(`Cannot open the SAE ${path}: ${reason}`, { cause });
  }
}

/** Files of the folder and, to say which of them could be meant, of the folders in it. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) names.push(entry.name);
    else
      for (const inner of await readdir(join(folder, entry.name)).catch(() => []))
        names.push(`${entry.name}/${inner}`);
  }
  return names.sort();
}
