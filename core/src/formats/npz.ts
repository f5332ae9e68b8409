import { type FileEntry, Reader, ZipReader } from "@zip.js/zip.js";
import { FormatError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { describe, describeNames } from "./json.ts";
import { checkNpyLength, npyFloat32 } from "./npy.ts";
import { type NpyHeader, npyHeaderLength, npyPrefixLength, parseNpyHeader } from "./npy-header.ts";

/** More entries than any archive of arrays has. */
const mostEntries = 65_536;

/** Unpacked bytes that every array may have, however few its packed bytes are: a file of nothing but zeros is small. */
const alwaysAllowed = 64 * 2 ** 20;

/** How many times larger than packed a larger array may be; those of trained weights hardly shrink. */
const largestRatio = 64;

/** An open npz file: its list of arrays. Arrays are unpacked on request. */
export interface Npz {
  /** Name of the file, for messages. */
  readonly name: string;
  /** Names of the arrays, without ".npy", in the order of the file. */
  readonly names: readonly string[];
  /**
   * Unpack one array, row-major. Rejects with {@link FormatError} that lists what there is when there is no such array,
   * and when the entry is damaged, encrypted or not what its headers promise.
   */
  readFloat32(array: string): Promise<{ shape: readonly number[]; values: Float32Array<ArrayBuffer> }>;
}

/**
 * Open an npz file (a zip archive of npy files), reading its directory alone. Rejects with {@link FormatError} when it
 * is not a zip archive, could be read in two ways, or has one name twice.
 */
export async function openNpz(source: ByteSource): Promise<Npz> {
  const { name } = source;
  const reader = new SourceReader(source);
  // Strict: whatever two programs could read differently is refused, and entries may not share bytes.
  const archive = new ZipReader(reader, {
    useWebWorkers: false,
    strictness: "strict",
    checkCrc32: true,
    checkOverlappingEntry: true,
  });
  const entries = new Map<string, FileEntry>();
  await refusing(name, [reader], async () => {
    let count = 0;
    for await (const entry of archive.getEntriesGenerator()) {
      if (++count > mostEntries) throw new FormatError(`${name} has more than ${mostEntries} entries`);
      if (entry.directory || !entry.filename.endsWith(".npy")) continue;
      entries.set(entry.filename.slice(0, -".npy".length), entry);
    }
  });

  return {
    name,
    names: [...entries.keys()],
    async readFloat32(array) {
      const entry = entries.get(array);
      if (entry === undefined) {
        throw new FormatError(
          `${name} has no array ${describe(array)}; it has ${describeNames(entries.keys())}`,
        );
      }
      const label = `Array ${describe(array)} of ${name}`;
      checkEntry(entry, source.byteLength, label);
      const collector = new NpyCollector(entry.uncompressedSize, label);
      await refusing(label, [reader, collector], () => entry.getData(collector.stream()));
      const { header, data } = collector.finish();
      return { shape: header.shape, values: npyFloat32(data, header, label) };
    },
  };
}

function checkEntry(entry: FileEntry, byteLength: number, label: string): void {
  const { compressedSize, uncompressedSize } = entry;
  if (entry.encrypted) throw new FormatError(`${label} is encrypted, which is not supported`);
  if (compressedSize > byteLength) {
    throw new FormatError(`${label} states ${compressedSize} packed bytes, but the file has ${byteLength}`);
  }
  const allowed = Math.max(alwaysAllowed, compressedSize * largestRatio);
  if (uncompressedSize > allowed) {
    throw new FormatError(
      `${label} states ${uncompressedSize} bytes packed into ${compressedSize}, expected at most ${allowed}`,
    );
  }
}

/** Where an error first showed, since the archive library may report one that only follows from it. */
interface Part {
  failure: unknown;
}

/** Run `action`; errors of its parts pass as they are, what else the archive library throws as {@link FormatError}. */
async function refusing<T>(label: string, parts: readonly Part[], action: () => Promise<T>): Promise<T> {
  for (const part of parts) part.failure = undefined;
  try {
    return await action();
  } catch (cause) {
    for (const { failure } of parts) if (failure !== undefined) throw failure;
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${label} cannot be unpacked: ${(cause as Error).message}`, { cause });
  }
}

/** Lets the archive library read from a {@link ByteSource}, and remembers what went wrong in it. */
class SourceReader extends Reader<ByteSource> implements Part {
  failure: unknown;
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super(source);
    this.#source = source;
    this.size = source.byteLength;
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    try {
      return await this.#source.read(index, Math.min(index + length, this.#source.byteLength));
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}

/**
 * Takes the unpacked bytes of an npy file piece by piece, and refuses them as soon as they are seen not to be an array
 * of the stated size, so that memory is bounded by what the archive states and the header confirms.
 */
class NpyCollector implements Part {
  failure: unknown;
  readonly #size: number;
  readonly #label: string;
  #head = new Uint8Array(0);
  #header: NpyHeader | undefined;
  #data = new Uint8Array(0);
  #filled = 0;

  constructor(size: number, label: string) {
    this.#size = size;
    this.#label = label;
  }

  /** Where to write the unpacked bytes to. */
  stream(): WritableStream<Uint8Array> {
    return new WritableStream({
      write: (chunk) => {
        try {
          this.#take(chunk);
        } catch (error) {
          this.failure = error;
          throw error;
        }
      },
    });
  }

  /** The header and all of the data. Throws {@link FormatError} when bytes are missing. */
  finish(): { header: NpyHeader; data: Uint8Array<ArrayBuffer> } {
    const header = this.#header ?? parseNpyHeader(this.#head, this.#label);
    if (this.#filled < this.#data.length) {
      throw new FormatError(
        `${this.#label} ends after ${this.#filled} bytes of data, expected ${this.#data.length}`,
      );
    }
    return { header, data: this.#data };
  }

  #take(chunk: Uint8Array): void {
    if (this.#header === undefined) this.#takeHead(chunk);
    else this.#append(chunk);
  }

  #takeHead(chunk: Uint8Array): void {
    const head = new Uint8Array(this.#head.length + chunk.length);
    head.set(this.#head);
    head.set(chunk, this.#head.length);
    this.#head = head;
    if (
      head.length < npyPrefixLength ||
      head.length < npyHeaderLength(head.subarray(0, npyPrefixLength), this.#label)
    )
      return;
    const header = parseNpyHeader(head, this.#label);
    checkNpyLength(header, this.#size, this.#label);
    this.#header = header;
    this.#data = new Uint8Array(header.dataLength);
    this.#append(head.subarray(header.dataStart));
  }

  #append(chunk: Uint8Array): void {
    if (this.#filled + chunk.length > this.#data.length) {
      throw new FormatError(`${this.#label} unpacks to more than the ${this.#size} bytes that it states`);
    }
    this.#data.set(chunk, this.#filled);
    this.#filled += chunk.length;
  }
}
