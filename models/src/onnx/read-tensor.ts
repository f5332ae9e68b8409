import { FormatError } from "@saestitch/core";
import type { DataRange } from "./data-range.ts";
import { bytesOfElements } from "./element-bits.ts";
import { type Field, readMessage, utf8Text } from "./message.ts";

/** Numbers of the fields of a TensorProto that are written or looked for elsewhere. */
export const tensorFields = { dims: 1, elementType: 2, name: 8, rawData: 9, externalData: 13, location: 14 };

/** Code of `TensorProto.DataLocation` for values in another file. */
export const externalLocation = 1;

/** What a TensorProto says of its values. */
export interface TensorHeader {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly number[];
  readonly elements: number;
  /** Where the values lie when they lie in a file. */
  readonly data?: DataRange;
}

/**
 * Read what a TensorProto says of its values. `rawLength`: bytes of raw values that were left out of it. Throws {@link FormatError},
 * beginning with `label`, when shape, type and values contradict each other, or when the values lie outside the model's folder.
 */
export function readTensorHeader(bytes: Uint8Array, label: string, rawLength?: number): TensorHeader {
  let name = "";
  let elementType = 0;
  let raw = rawLength;
  let isExternal = false;
  const dims: number[] = [];
  const external = new Map<string, string>();
  readMessage(bytes, label, (field) => {
    if (field.number === tensorFields.dims) field.integers(dims);
    else if (field.number === tensorFields.elementType) elementType = field.integer();
    else if (field.number === tensorFields.name) name = field.text();
    else if (field.number === tensorFields.rawData) raw = field.bytes().length;
    else if (field.number === tensorFields.externalData) readEntry(field, external, label);
    else if (field.number === tensorFields.location) isExternal = field.integer() === externalLocation;
  });
  const named = `${label} named ${JSON.stringify(name.slice(0, 80))}`;
  const elements = countElements(dims, named);
  const expected = bytesOfElements(elementType, elements);
  if (raw !== undefined && expected !== undefined && raw !== expected) {
    throw new FormatError(
      `${named} has ${raw} bytes of values, expected ${expected} by its shape [${dims.slice(0, 8).join(", ")}] and element type ${elementType}`,
    );
  }
  if (!isExternal) return { name, elementType, dims, elements };
  if (raw !== undefined) throw new FormatError(`${named} has values both in itself and in another file`);
  return { name, elementType, dims, elements, data: externalRange(external, expected, named) };
}

function readEntry(field: Field, into: Map<string, string>, label: string): void {
  let key = "";
  let value = "";
  readMessage(field.bytes(), label, (part) => {
    if (part.number === 1) key = part.text();
    // A value of a key that does not matter here may be anything.
    else if (part.number === 2) value = utf8Text(part.bytes()) ?? "";
  });
  into.set(key, value);
}

function externalRange(
  external: ReadonlyMap<string, string>,
  expected: number | undefined,
  label: string,
): DataRange {
  const offset = integerEntry(external, "offset", label) ?? 0;
  const length = integerEntry(external, "length", label) ?? expected;
  if (length === undefined) {
    throw new FormatError(`${label} lies in another file and does not say how many bytes it has there`);
  }
  if (expected !== undefined && length !== expected) {
    throw new FormatError(
      `${label} has ${length} bytes in another file, expected ${expected} by its shape and element type`,
    );
  }
  if (!Number.isSafeInteger(offset + length)) {
    throw new FormatError(
      `${label} ends at byte ${offset + length} of another file, expected less than 2^53`,
    );
  }
  return { file: checkPath(external.get("location"), label), offset, length };
}

function integerEntry(external: ReadonlyMap<string, string>, key: string, label: string): number | undefined {
  const text = external.get(key);
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new FormatError(
    `${label} gives its data the ${key} ${JSON.stringify(text.slice(0, 40))}, expected an integer from 0 to 2^53 - 1`,
  );
}

/** Only paths into the model's folder: a model from a stranger must not make the engine read other files. */
function checkPath(path: string | undefined, label: string): string {
  const isInside =
    path !== undefined &&
    path !== "" &&
    !/^[/\\]|^[A-Za-z]:|\p{Cc}/u.test(path) &&
    // ONNX Runtime takes a path that begins with an asterisk for an address in memory.
    !path.includes("*") &&
    !path.split(/[/\\]/).includes("..");
  if (isInside) return path;
  throw new FormatError(
    `${label} keeps its values in ${JSON.stringify((path ?? "").slice(0, 80))}, expected a file in the model's folder`,
  );
}

function countElements(dims: readonly number[], label: string): number {
  let count = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0)
      throw new FormatError(
        `${label} has the size ${dim} in its shape, expected an integer from 0 to 2^53 - 1`,
      );
    count *= dim;
  }
  if (Number.isSafeInteger(count)) return count;
  throw new FormatError(
    `${label} has more than 2^53 - 1 elements by its shape [${dims.slice(0, 8).join(", ")}]`,
  );
}
