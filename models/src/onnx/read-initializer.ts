import { FormatError } from "@saestitch/core";
import { withReference } from "./external-reference.ts";
import type { FileField, FileFields } from "./file-fields.ts";
import { bytesType } from "./message.ts";
import type { OnnxInitializer } from "./onnx-model.ts";
import { readTensorHeader, tensorFields } from "./read-tensor.ts";
import { joinBytes } from "./write-message.ts";

/** Where an initializer is read from: the file's own name in its folder, and how many bytes of values are read with it. */
interface InitializerOptions {
  readonly file: string;
  readonly inlineLimit: number;
  readonly label: string;
}

/**
 * Read the TensorProto of an initializer. Raw values of more than `inlineLimit` bytes are not read: the tensor then says where in the file
 * they lie, as if they were external data. Rejects with {@link FormatError}.
 */
export async function readInitializer(
  fields: FileFields,
  { start, end }: FileField,
  { file, inlineLimit, label }: InitializerOptions,
): Promise<OnnxInitializer> {
  const kept: Uint8Array[] = [];
  let raw: FileField | undefined;
  if (end - start <= inlineLimit) kept.push(await fields.bytes(start, end));
  else {
    for await (const field of fields.fields(start, end, label)) {
      const isLarge =
        field.number === tensorFields.rawData && field.wireType === bytesType && field.length > inlineLimit;
      if (isLarge) raw = field;
      else kept.push(await fields.bytes(field.tagStart, field.end));
    }
  }
  const bytes = joinBytes(kept);
  const { name, elementType, dims, data } = readTensorHeader(bytes, label, raw?.length);
  if (name === "") throw new FormatError(`${label} has no name`);
  if (raw === undefined) return { name, elementType, dims, bytes, ...(data && { data }) };
  const range = { file, offset: raw.start, length: raw.length };
  return { name, elementType, dims, bytes: withReference(bytes, range), data: range };
}
