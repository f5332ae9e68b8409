import type { OnnxAttribute, OnnxNode } from "./onnx-model.ts";
import { readNode } from "./read-node.ts";
import { writeMessage } from "./write-message.ts";

/** What else a node of ours may have. */
export interface NodeOptions {
  readonly name?: string;
  /** "" for the operators of ONNX itself. */
  readonly domain?: string;
  /** A number alone stands for an integer. */
  readonly attributes?: Readonly<Record<string, OnnxAttribute | number>>;
}

const attributeTypes = { float: 1, int: 2, text: 3, ints: 7 } as const;

/** A node of ours, as it would be read from a file. Floats are rounded to 32 bits. */
export function makeNode(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  { name = outputs[0], domain = "", attributes = {} }: NodeOptions = {},
): OnnxNode {
  const bytes = writeMessage((writer) => {
    for (const input of inputs) writer.writeStringField(1, input);
    for (const output of outputs) writer.writeStringField(2, output);
    writer.writeStringField(3, name);
    writer.writeStringField(4, opType);
    for (const [key, value] of Object.entries(attributes))
      writer.writeBytesField(5, encodeAttribute(key, typeof value === "number" ? { int: value } : value));
    writer.writeStringField(7, domain);
  });
  return readNode(bytes, `The new node ${name}`);
}

function encodeAttribute(name: string, { float, int, ints, text }: OnnxAttribute): Uint8Array {
  return writeMessage((writer) => {
    writer.writeStringField(1, name);
    if (float !== undefined) {
      writer.writeFloatField(2, float);
      writer.writeVarintField(20, attributeTypes.float);
    } else if (int !== undefined) {
      writer.writeVarintField(3, int);
      writer.writeVarintField(20, attributeTypes.int);
    } else if (text !== undefined) {
      writer.writeStringField(4, text);
      writer.writeVarintField(20, attributeTypes.text);
    } else if (ints !== undefined) {
      for (const value of ints) writer.writeVarintField(8, value);
      writer.writeVarintField(20, attributeTypes.ints);
    }
  });
}
