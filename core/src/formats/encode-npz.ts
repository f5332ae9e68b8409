import { encodeNpy } from "./encode-npy.ts";
import { encodeZip } from "./encode-zip.ts";
import { checkTensorsToWrite, type TensorToWrite } from "./tensor-to-write.ts";

/**
 * Encode tensors as an npz file (a zip archive of npy files, not compressed, as `numpy.savez` writes), in bounded memory.
 * Throws ShapeError when values do not fill their shape or a name occurs twice, UnsupportedError for an element type that
 * npy files do not have; taking a chunk rejects with DataError for a value that the element type cannot hold.
 */
export function encodeNpz(tensors: Iterable<TensorToWrite>): AsyncIterable<Uint8Array<ArrayBuffer>> {
  const all = [...tensors];
  checkTensorsToWrite(all, "one npz file");
  return encodeZip(all.map((tensor) => ({ name: `${tensor.name}.npy`, ...encodeNpy(tensor) })));
}
