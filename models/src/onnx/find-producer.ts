import { UnsupportedError } from "@saestitch/core";
import { graphIndex } from "./graph-index.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { describeNode } from "./order-nodes.ts";

/**
 * The number of the node that makes a value. Throws {@link UnsupportedError} where no node does, in whose message `action` ("read", "replace")
 * says what cannot be done.
 */
export function findProducer(model: OnnxModel, value: string, action: string): number {
  const producer = graphIndex(model).producer(value);
  if (producer !== undefined) return producer;
  const subject = `Cannot ${action} ${JSON.stringify(value)} of ${model.location}:`;
  if (model.initializers.has(value)) throw new UnsupportedError(`${subject} it is a constant of the model`);
  if (model.inputs.some(({ name }) => name === value))
    throw new UnsupportedError(`${subject} it is an input of the model`);
  const around = model.nodes.find(({ inner }) => inner.includes(value));
  if (around !== undefined) {
    throw new UnsupportedError(
      `${subject} it lies inside ${describeNode(around)}; use an export without it, such as decoder_model.onnx`,
    );
  }
  throw new UnsupportedError(`${subject} no node of the model makes it`);
}
