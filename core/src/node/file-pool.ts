import { FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { type FileSource, openFile } from "./file-source.ts";

/** A file of the pool that is open. */
interface OpenFile {
  readonly file: Promise<FileSource>;
  /** Reads in progress; a file in use is not closed. */
  readers: number;
}

/** Many files as {@link ByteSource}s, of which only the last few that were read are open at a time. */
export class FilePool {
  readonly #mostOpen: number;
  /** By path, the one not read for longest first. */
  readonly #open = new Map<string, OpenFile>();
  #closed = false;

  constructor({ mostOpen = 8 } = {}) {
    this.#mostOpen = mostOpen;
  }

  /**
   * The file at `path`, opened when it is read. Rejects with {@link FormatError} when there is no such file; reads reject
   * with it when the file has changed its size since, or the pool is closed.
   */
  async source(path: string): Promise<ByteSource> {
    const { byteLength } = await this.#use(path, async (file) => file);
    return {
      name: path,
      byteLength,
      read: (start, end) =>
        this.#use(path, (file) => {
          if (file.byteLength === byteLength) return file.read(start, end);
          throw new FormatError(
            `${path} has ${file.byteLength} bytes now, it had ${byteLength} when it was first opened`,
          );
        }),
    };
  }

  /** Wait for reads in progress, then close all files; later reads reject. */
  async close(): Promise<void> {
    this.#closed = true;
    const files = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(
      files.map(({ file }) =>
        file.then(
          (open) => open.close(),
          () => {},
        ),
      ),
    );
  }

  async #use<T>(path: string, work: (file: FileSource) => Promise<T>): Promise<T> {
    if (this.#closed) throw new FormatError(`Cannot read ${path}: it has been closed`);
    const entry = this.#open.get(path) ?? { file: openFile(path), readers: 0 };
    // Set again to be the youngest in the order of the map.
    this.#open.delete(path);
    this.#open.set(path, entry);
    entry.readers++;
    try {
      return await work(await entry.file);
    } catch (error) {
      // A file that could not be opened may be there on the next attempt.
      await entry.file.catch(() => this.#open.get(path) === entry && this.#open.delete(path));
      throw error;
    } finally {
      entry.readers--;
      await this.#closeIdle();
    }
  }

  async #closeIdle(): Promise<void> {
    const idle = [...this.#open].filter(([, { readers }]) => readers === 0);
    for (const [path, { file }] of idle.slice(0, Math.max(0, this.#open.size - this.#mostOpen))) {
      this.#open.delete(path);
      await file.then(
        (open) => open.close(),
        () => {},
      );
    }
  }
}
