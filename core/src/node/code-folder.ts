import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { decodeCode, encodeCode, roundCode } from "../codes/code-file.ts";
import type { CodeStore, Stretch } from "../codes/code-store.ts";
import { DataError, FormatError } from "../errors.ts";
import { describe, describeNames } from "../formats/json.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { type CodeDescription, checkDescription, encodeDescription } from "./code-folder-description.ts";
import { type FileSource, openFile } from "./file-source.ts";
import { writeAtomically } from "./write-atomically.ts";

const DESCRIPTION = "codes.json";
const CODE_FILE = /^rows-\d+-\d+\.safetensors$/;

/**
 * Codes in a folder, which is made when it is not there: one safetensors file for each stretch, and codes.json, which says what
 * they are of. Readers and writers, other processes included, may share it.
 *
 * Rejects with {@link DataError} when the folder is of another key or precision or holds codes that nothing describes, and with
 * {@link FormatError} when codes.json is damaged; reading rejects with {@link FormatError} for a damaged file, writing with
 * {@link DataError} for activations that the precision cannot hold.
 */
export async function openCodeFolder(
  path: string,
  { key, precision = "f32" }: Pick<CodeDescription, "key"> & Partial<CodeDescription>,
): Promise<CodeStore> {
  /** Bytes of each file that is known to be there. */
  const sizes = new Map<string, number>();
  for (const name of await openFolder(path, { key, precision }))
    sizes.set(name, (await stat(join(path, name))).size);

  return {
    location: path,
    get bytes() {
      let bytes = 0;
      for (const size of sizes.values()) bytes += size;
      return bytes;
    },
    async read(stretch) {
      const name = fileName(stretch);
      const file = await openIfThere(join(path, name));
      if (file === undefined) return undefined;
      try {
        const code = await readCode(file, stretch);
        sizes.set(name, file.byteLength);
        return code;
      } catch (cause) {
        if (!(cause instanceof FormatError)) throw cause;
        throw new FormatError(`${cause.message}; delete this file, and its codes are made again`, { cause });
      } finally {
        await file.close();
      }
    },
    async write(stretch, code) {
      const name = fileName(stretch);
      const rounded = roundCode(code, precision);
      const metadata = { crc32: checksum(rounded) };
      await writeAtomically(join(path, name), encodeCode(rounded, { precision, metadata }));
      sizes.set(name, (await stat(join(path, name))).size);
      return rounded;
    },
  };
}

/** Make the folder or check that it is the wanted one; the files of codes that it holds. */
async function openFolder(path: string, description: CodeDescription): Promise<string[]> {
  const names = await listFolder(path);
  // The description is written before any code, so one that is looked for after listing codes is there by right.
  const file = await openIfThere(join(path, DESCRIPTION));
  if (file !== undefined) {
    try {
      await checkDescription(file, path, description);
    } finally {
      await file.close();
    }
  } else if (names.length > 0) {
    throw new DataError(
      `${path} holds ${describeNames(names)}, but no ${DESCRIPTION} that says what these are codes of: delete the folder, or give another`,
    );
  } else {
    await writeAtomically(join(path, DESCRIPTION), [encodeDescription(description)]);
  }
  return names;
}

async function listFolder(path: string): Promise<string[]> {
  try {
    await mkdir(path, { recursive: true });
    return (await readdir(path)).filter((name) => CODE_FILE.test(name));
  } catch (cause) {
    throw new DataError(`Cannot keep codes in the folder ${path}: ${(cause as Error).message}`, { cause });
  }
}

async function openIfThere(path: string): Promise<FileSource | undefined> {
  try {
    return await openFile(path);
  } catch (error) {
    const { cause } = error as { readonly cause?: NodeJS.ErrnoException };
    if (cause?.code === "ENOENT") return undefined;
    throw error;
  }
}

async function readCode(file: FileSource, { start, end }: Stretch): Promise<SparseCode> {
  const { code, metadata } = await decodeCode(file, { mostRows: end - start });
  const found = checksum(code);
  if (metadata.crc32 === found) return code;
  throw new FormatError(
    `${file.name} has been damaged: the checksum of its code is ${found}, but it states ${describe(metadata.crc32)}`,
  );
}

/** Finds the damage that leaves a sound code, such as another value in place of one. */
function checksum({ rows, columns, offsets, indices, values }: SparseCode): string {
  let crc = crc32(`${rows} × ${columns}`);
  // Of no bytes at all crc32 may answer 0 instead of what it was given to go on from.
  for (const array of [offsets, indices, values]) if (array.length > 0) crc = crc32(array, crc);
  return crc.toString(16).padStart(8, "0");
}

const fileName = ({ start, end }: Stretch) => `rows-${start}-${end}.safetensors`;
