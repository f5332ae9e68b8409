import type { DataRange } from "./data-range.ts";
import { readMessage } from "./message.ts";
import { externalLocation, tensorFields } from "./read-tensor.ts";
import { joinBytes, writeMessage } from "./write-message.ts";

/** A TensorProto without values, or with a reference to them that is dropped, as one whose values lie in a range of a file. */
export function withReference(tensor: Uint8Array, { file, offset, length }: DataRange): Uint8Array {
  const kept: Uint8Array[] = [];
  let start = 0;
  readMessage(tensor, "A tensor", ({ number, end }) => {
    if (number !== tensorFields.externalData && number !== tensorFields.location)
      kept.push(tensor.subarray(start, end));
    start = end;
  });
  const entries = [
    ["location", file],
    ["offset", String(offset)],
    ["length", String(length)],
  ];
  const reference = writeMessage((writer) => {
    for (const [key, value] of entries) {
      const entry = writeMessage((to) => {
        to.writeStringField(1, key);
        to.writeStringField(2, value);
      });
      writer.writeBytesField(tensorFields.externalData, entry);
    }
    writer.writeVarintField(tensorFields.location, externalLocation);
  });
  return joinBytes([...kept, reference]);
}
