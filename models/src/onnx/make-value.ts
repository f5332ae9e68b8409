import type { OnnxValue } from "./onnx-model.ts";
import { readValue } from "./read-value.ts";
import { writeMessage } from "./write-message.ts";

/**
 * The description of a value, as it would be read from a file. `elementType`: a code of `TensorProto.DataType`; `shape`: numbers, or names of
 * axes that vary ("" for none). What is not given is left to be inferred; a shape needs a type.
 */
export function makeValue(
  name: string,
  elementType?: number,
  shape?: readonly (number | string)[],
): OnnxValue {
  const bytes = writeMessage((writer) => {
    writer.writeStringField(1, name);
    if (elementType === undefined) return;
    const tensor = writeMessage((to) => {
      to.writeVarintField(1, elementType);
      if (shape) to.writeBytesField(2, encodeShape(shape));
    });
    const type = writeMessage((to) => to.writeBytesField(1, tensor));
    writer.writeBytesField(2, type);
  });
  return readValue(bytes, `The new value ${name}`);
}

function encodeShape(shape: readonly (number | string)[]): Uint8Array {
  return writeMessage((writer) => {
    for (const axis of shape) {
      const dimension = writeMessage((to) => {
        if (typeof axis === "number") to.writeVarintField(1, axis);
        else if (axis !== "") to.writeStringField(2, axis);
      });
      writer.writeBytesField(1, dimension);
    }
  });
}
