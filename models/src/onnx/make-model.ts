import type { OnnxInitializer, OnnxModel, OnnxNode, OnnxValue } from "./onnx-model.ts";
import { modelFields } from "./read-onnx.ts";
import { writeMessage } from "./write-message.ts";

/** What a model of ours is made of. */
export interface ModelParts {
  /** In an order in which they can be run. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers?: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** For people and error messages. */
  readonly location?: string;
  /** Version of the operators of ONNX itself. */
  readonly opset?: number;
}

/** The first IR version that goes with the operators' version 17. */
const irVersion = 8;

/** A model of ours: a graph alone, without any file. */
export function makeModel({
  nodes,
  initializers = [],
  inputs,
  outputs,
  location = "a graph of ours",
  opset = 17,
}: ModelParts): OnnxModel {
  const preamble = writeMessage((writer) => {
    writer.writeVarintField(1, irVersion);
    writer.writeBytesField(
      modelFields.opset,
      writeMessage((to) => to.writeVarintField(2, opset)),
    );
  });
  return {
    location,
    opset,
    preamble,
    nodes,
    initializers: new Map(initializers.map((tensor) => [tensor.name, tensor])),
    inputs,
    outputs,
    values: new Map(),
  };
}
