import { FormatError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { type NpyArray, openNpy } from "../formats/npy.ts";
import type { ActivationShard } from "./activation-shard.ts";
import { storedShard } from "./stored-shard.ts";

/** What may lie beside an npy file of activations, each [n]. */
export interface NpySidecars {
  readonly documentIds?: ByteSource | undefined;
  readonly tokenIds?: ByteSource | undefined;
}

/**
 * Open an npy file of activations, [n × d] or [sequences × context × d], with the ids of its rows in files of their own.
 * Without document ids the sequences of three axes are the documents.
 *
 * Rejects with FormatError when the file does not hold floats, UnsupportedError when it is in Fortran order, ShapeError
 * when the ids are not one for each row.
 */
export async function openNpyShard(source: ByteSource, sidecars: NpySidecars = {}): Promise<ActivationShard> {
  const file = await openRows(source);
  if (!/^F/.test(file.dtype))
    throw new FormatError(
      `${file.name} holds elements of type ${file.dtype}, expected activations in floats`,
    );
  const documentIds = sidecars.documentIds && (await openRows(sidecars.documentIds));
  const tokenIds = sidecars.tokenIds && (await openRows(sidecars.tokenIds));
  const stored = ({ name: label, shape }: NpyArray) => ({ label, shape });
  return storedShard(source.name, {
    activations: { ...stored(file), read: file.readFloat32 },
    documentIds: documentIds && { ...stored(documentIds), read: documentIds.readInt32 },
    tokenIds: tokenIds && { ...stored(tokenIds), read: tokenIds.readInt32 },
  });
}

/** Open an array that is stored row by row; in Fortran order a row lies scattered over the whole file. */
async function openRows(source: ByteSource): Promise<NpyArray> {
  const file = await openNpy(source);
  if (!file.fortranOrder || file.shape.filter((size) => size > 1).length < 2) return file;
  throw new UnsupportedError(
    `${file.name} is stored in Fortran order, expected C order (save it again after numpy.ascontiguousarray)`,
  );
}
