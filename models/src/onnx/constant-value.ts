import { graphIndex } from "./graph-index.ts";
import { type Field, readMessage } from "./message.ts";
import { elementTypes, type OnnxModel, type OnnxNode } from "./onnx-model.ts";
import { readTensorHeader, tensorFields } from "./read-tensor.ts";

/** Constants of more elements than this are no shapes, axes or factors. */
const mostElements = 1024;

/**
 * The numbers that a value always has, row-major: those of a small initializer or Constant node of int64, int32, bool, float or double,
 * perhaps passed on by Identity nodes. Nothing when the value is none of these.
 */
export function constantValue(model: OnnxModel, name: string): number[] | undefined {
  const index = graphIndex(model);
  for (let value = name; ; ) {
    const initializer = model.initializers.get(value);
    if (initializer) {
      return initializer.data ? undefined : tensorNumbers(initializer.bytes, model.location);
    }
    const producer = index.producer(value);
    if (producer === undefined) return undefined;
    const node = model.nodes[producer];
    if (node.domain !== "") return undefined;
    if (node.opType === "Constant") return constantOf(node, model.location);
    if (node.opType !== "Identity") return undefined;
    value = node.inputs[0];
  }
}

function constantOf({ attributes, bytes }: OnnxNode, location: string): number[] | undefined {
  const { int, float } = attributes.get("value_int") ?? attributes.get("value_float") ?? {};
  const number = int ?? float;
  if (number !== undefined) return [number];
  const ints = attributes.get("value_ints")?.ints;
  if (ints) return [...ints];
  let found: number[] | undefined;
  readMessage(bytes, location, (field) => {
    if (field.number === 5) found ??= attributeNumbers(field, location);
  });
  return found;
}

function attributeNumbers(attribute: Field, location: string): number[] | undefined {
  let name = "";
  let tensor: number[] | undefined;
  const floats: number[] = [];
  readMessage(attribute.bytes(), location, (field) => {
    if (field.number === 1) name = field.text();
    else if (field.number === 5) tensor = tensorNumbers(field.bytes(), location);
    else if (field.number === 7) field.floats(floats);
  });
  if (name === "value") return tensor;
  return name === "value_floats" ? floats : undefined;
}

function tensorNumbers(bytes: Uint8Array, location: string): number[] | undefined {
  const { elements, elementType, data } = readTensorHeader(bytes, `A constant of ${location}`);
  if (elements > mostElements || data !== undefined) return undefined;
  let numbers: number[] | undefined = [];
  const listed: number[] = numbers;
  readMessage(bytes, `A constant of ${location}`, (field) => {
    if (field.number === tensorFields.rawData) numbers = rawNumbers(field.bytes(), elementType);
    else if (elementType === elementTypes.float32 && field.number === 4) field.floats(listed);
    else if (elementType === elementTypes.int64 && field.number === 7) field.integers(listed);
    else if (elementType === elementTypes.float64 && field.number === 10) field.doubles(listed);
    else if (isInt32Listed(elementType) && field.number === 5) field.integers(listed);
  });
  return numbers?.length === elements ? numbers : undefined;
}

function isInt32Listed(elementType: number): boolean {
  return elementType === elementTypes.int32 || elementType === elementTypes.bool;
}

function rawNumbers(bytes: Uint8Array, elementType: number): number[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const every = (width: number, read: (at: number) => number) =>
    Array.from({ length: bytes.length / width }, (_, i) => read(i * width));
  if (elementType === elementTypes.float32) return every(4, (at) => view.getFloat32(at, true));
  if (elementType === elementTypes.float64) return every(8, (at) => view.getFloat64(at, true));
  if (elementType === elementTypes.int32) return every(4, (at) => view.getInt32(at, true));
  if (elementType === elementTypes.int64) return every(8, (at) => Number(view.getBigInt64(at, true)));
  if (elementType === elementTypes.bool) return Array.from(bytes);
  return undefined;
}
