import { FormatError } from "@saestitch/core";
import { readMessage, utf8Text } from "./message.ts";
import type { OnnxAttribute, OnnxNode } from "./onnx-model.ts";
import { readTensorHeader, type TensorHeader } from "./read-tensor.ts";
import { readValue } from "./read-value.ts";

/** Graphs within nodes within graphs: more is no model but an attack on the stack. */
const deepest = 32;

/** What reading a node needs at any depth. */
interface Context {
  readonly label: string;
  readonly onTensor: (tensor: TensorHeader) => void;
}

/** What a node's own graphs read from around them, and what they make. */
interface InnerGraphs {
  readonly captured: Set<string>;
  readonly made: Set<string>;
}

/**
 * Read a NodeProto, the graphs of its attributes included. `onTensor` gets what each tensor in its attributes says of itself. Throws
 * {@link FormatError}, beginning with `label`, when it is damaged, or keeps values outside the model's folder.
 */
export function readNode(
  bytes: Uint8Array,
  label: string,
  { onTensor = () => {} }: { readonly onTensor?: (tensor: TensorHeader) => void } = {},
): OnnxNode {
  return nodeAt(bytes, { label, onTensor }, 0);
}

function nodeAt(bytes: Uint8Array, context: Context, depth: number): OnnxNode {
  let name = "";
  let opType = "";
  let domain = "";
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  const graphs: InnerGraphs = { captured: new Set(), made: new Set() };
  readMessage(bytes, context.label, (field) => {
    if (field.number === 1) inputs.push(field.text());
    else if (field.number === 2) outputs.push(field.text());
    else if (field.number === 3) name = field.text();
    else if (field.number === 4) opType = field.text();
    else if (field.number === 5) readAttribute(field.bytes(), { attributes, graphs }, context, depth);
    else if (field.number === 7) domain = field.text();
  });
  const [captured, inner] = [[...graphs.captured], [...graphs.made]];
  // Two names of one domain.
  if (domain === "ai.onnx") domain = "";
  return { name, opType, domain, inputs, outputs, captured, attributes, inner, bytes };
}

function readAttribute(
  bytes: Uint8Array,
  { attributes, graphs }: { attributes: Map<string, OnnxAttribute>; graphs: InnerGraphs },
  context: Context,
  depth: number,
): void {
  const { label, onTensor } = context;
  let name = "";
  let type = 0;
  let float: number | undefined;
  let int: number | undefined;
  let text: Uint8Array | undefined;
  const ints: number[] = [];
  readMessage(bytes, label, (field) => {
    if (field.number === 1) name = field.text();
    else if (field.number === 2) float = field.float();
    else if (field.number === 3) int = field.integer();
    else if (field.number === 4) text = field.bytes();
    else if (field.number === 5 || field.number === 10)
      onTensor(readTensorHeader(field.bytes(), `${label}: a tensor`));
    else if (field.number === 6 || field.number === 11) readGraph(field.bytes(), graphs, context, depth + 1);
    else if (field.number === 8) field.integers(ints);
    else if (field.number === 20) type = field.integer();
    else if (field.number === 22 || field.number === 23) readSparseTensor(field.bytes(), context);
  });
  // A value of zero or of nothing may be left out; old files leave out the type instead.
  if (float !== undefined || type === 1) attributes.set(name, { float: float ?? 0 });
  else if (int !== undefined || type === 2) attributes.set(name, { int: int ?? 0 });
  else if (text !== undefined || type === 3) attributes.set(name, textAttribute(text));
  else if (ints.length > 0 || type === 7) attributes.set(name, { ints });
  else attributes.set(name, {});
}

/** The bytes of a text need not be one. */
function textAttribute(bytes: Uint8Array | undefined): OnnxAttribute {
  const text = bytes === undefined ? "" : utf8Text(bytes);
  return text === undefined ? {} : { text };
}

function readGraph(
  bytes: Uint8Array,
  { captured, made }: InnerGraphs,
  context: Context,
  depth: number,
): void {
  const { label, onTensor } = context;
  if (depth > deepest)
    throw new FormatError(`${label} nests graphs more than ${deepest} deep, expected fewer`);
  const known = new Set<string>([""]);
  const read = new Set<string>();
  readMessage(bytes, label, (field) => {
    if (field.number === 1) {
      const node = nodeAt(field.bytes(), context, depth);
      for (const name of node.inputs) read.add(name);
      for (const name of node.captured) read.add(name);
      for (const name of node.inner) made.add(name);
      for (const name of node.outputs) {
        known.add(name);
        if (name !== "") made.add(name);
      }
    } else if (field.number === 5) {
      const tensor = readTensorHeader(field.bytes(), `${label}: an initializer`);
      onTensor(tensor);
      known.add(tensor.name);
    } else if (field.number === 11) known.add(readValue(field.bytes(), label).name);
    else if (field.number === 12) read.add(readValue(field.bytes(), label).name);
    else if (field.number === 15) known.add(readSparseTensor(field.bytes(), context));
  });
  for (const name of read) if (!known.has(name)) captured.add(name);
}

/** The name of a SparseTensorProto, which is that of its values. */
function readSparseTensor(bytes: Uint8Array, { label, onTensor }: Context): string {
  let name = "";
  readMessage(bytes, label, (field) => {
    if (field.number !== 1 && field.number !== 2) return;
    const tensor = readTensorHeader(field.bytes(), `${label}: a sparse tensor`);
    onTensor(tensor);
    if (field.number === 1) name = tensor.name;
  });
  return name;
}
