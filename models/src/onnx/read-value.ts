import { FormatError } from "@saestitch/core";
import { readMessage } from "./message.ts";
import type { OnnxValue } from "./onnx-model.ts";

/** Read a ValueInfoProto. Throws {@link FormatError}, beginning with `label`. */
export function readValue(bytes: Uint8Array, label: string): OnnxValue {
  let name = "";
  let type: { elementType?: number; shape?: (number | string)[] } = {};
  readMessage(bytes, label, (field) => {
    if (field.number === 1) name = field.text();
    else if (field.number === 2) type = readType(field.bytes(), label);
  });
  return { name, ...type, bytes };
}

/** Of a TypeProto, what it says of a tensor; sequences, maps and options have no type here. */
function readType(bytes: Uint8Array, label: string): { elementType?: number; shape?: (number | string)[] } {
  const type: { elementType?: number; shape?: (number | string)[] } = {};
  readMessage(bytes, label, (kind) => {
    if (kind.number !== 1) return;
    readMessage(kind.bytes(), label, (field) => {
      if (field.number === 1) type.elementType = field.integer();
      else if (field.number === 2) type.shape = readShape(field.bytes(), label);
    });
  });
  return type;
}

function readShape(bytes: Uint8Array, label: string): (number | string)[] {
  const shape: (number | string)[] = [];
  readMessage(bytes, label, (field) => {
    if (field.number === 1) shape.push(readAxis(field.bytes(), label));
  });
  return shape;
}

function readAxis(bytes: Uint8Array, label: string): number | string {
  let axis: number | string = "";
  readMessage(bytes, label, (field) => {
    if (field.number === 1) {
      const size = field.integer();
      if (!Number.isSafeInteger(size))
        throw new FormatError(`${label} has an axis of the size ${size}, expected less than 2^53`);
      // Some writers give an axis that varies the size -1.
      axis = size < 0 ? "" : size;
    } else if (field.number === 2) axis = field.text();
  });
  return axis;
}
