import { PbfWriter } from "pbf";

/** The bytes of a protobuf message, or of some of its fields, that `write` writes. */
export function writeMessage(write: (writer: PbfWriter) => void): Uint8Array<ArrayBuffer> {
  const writer = new PbfWriter();
  write(writer);
  return Uint8Array.from(writer.finish());
}

/** Several parts one after the other: fields of a message. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}
