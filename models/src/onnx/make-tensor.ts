import { elementTypes, type OnnxInitializer } from "./onnx-model.ts";
import { readTensorHeader, tensorFields } from "./read-tensor.ts";
import { writeMessage } from "./write-message.ts";

/** A float32 initializer of ours, its values (row-major) within it. Throws FormatError when they do not fill the shape. */
export function makeFloatTensor(
  name: string,
  dims: readonly number[],
  values: ArrayLike<number>,
): OnnxInitializer {
  return makeTensor(name, dims, elementTypes.float32, Float32Array.from(values));
}

/** An int64 initializer of ours, as {@link makeFloatTensor}. */
export function makeInt64Tensor(
  name: string,
  dims: readonly number[],
  values: readonly number[],
): OnnxInitializer {
  return makeTensor(name, dims, elementTypes.int64, BigInt64Array.from(values, BigInt));
}

function makeTensor(
  name: string,
  dims: readonly number[],
  elementType: number,
  { buffer }: Float32Array | BigInt64Array,
): OnnxInitializer {
  const bytes = writeMessage((writer) => {
    writer.writePackedVarint(tensorFields.dims, [...dims]);
    writer.writeVarintField(tensorFields.elementType, elementType);
    writer.writeStringField(tensorFields.name, name);
    writer.writeBytesField(tensorFields.rawData, new Uint8Array(buffer));
  });
  readTensorHeader(bytes, "The new tensor");
  return { name, elementType, dims, bytes };
}
