import { ShapeError } from "../errors.ts";
import { dtypeBytes } from "../tensor/dtype.ts";
import { checkTensorsToWrite, type TensorToWrite, tensorBytes } from "./tensor-to-write.ts";

/** The order of element types in the files of the reference implementation: widest last, and so written first. */
const dtypeOrder = Object.keys(dtypeBytes);

/**
 * Encode tensors as a safetensors file, in chunks of at most 2 MiB after the header, so that a large file is never in
 * memory twice. Byte for byte what the reference implementation writes: wide element types first, which aligns all of
 * them, then by name. Throws {@link ShapeError} when values do not fill their shape or a name occurs twice; taking a
 * chunk throws DataError for a value that the element type cannot hold.
 *
 * Format: https://github.com/huggingface/safetensors#format
 */
export function encodeSafetensors(
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Iterable<Uint8Array<ArrayBuffer>> {
  const inOrder = [...tensors].sort(
    (a, b) => dtypeOrder.indexOf(b.dtype) - dtypeOrder.indexOf(a.dtype) || (a.name < b.name ? -1 : 1),
  );
  checkTensorsToWrite(inOrder, "one safetensors file");
  if (inOrder.some(({ name }) => name === "__metadata__"))
    throw new ShapeError(
      'Cannot write a tensor named "__metadata__" to a safetensors file: the name is taken',
    );
  return chunks(encodeHeader(inOrder, metadata), inOrder);
}

function* chunks(header: Uint8Array<ArrayBuffer>, tensors: readonly TensorToWrite[]) {
  yield header;
  for (const tensor of tensors) yield* tensorBytes(tensor);
}

function encodeHeader(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const fields = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) fields.set("__metadata__", metadata);
  let offset = 0;
  for (const { name, dtype, shape, values } of tensors) {
    const end = offset + values.length * dtypeBytes[dtype];
    fields.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  // Written by hand, because an object would move names such as "0" to the front and lose "__proto__".
  const members = Array.from(fields, ([name, field]) => `${JSON.stringify(name)}:${JSON.stringify(field)}`);
  const text = new TextEncoder().encode(`{${members.join(",")}}`);
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return header;
}
