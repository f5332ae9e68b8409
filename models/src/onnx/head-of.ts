import { findProducer } from "./find-producer.ts";
import { graphIndex } from "./graph-index.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { valuesRead } from "./order-nodes.ts";
import { subgraph } from "./subgraph.ts";

/**
 * The part of a model that computes some of its values, which become its outputs: nothing else is in it. Throws UnsupportedError for a value
 * that no node makes: an input, a constant, or one inside a node's own graph.
 */
export function headOf(model: OnnxModel, outputs: readonly string[]): OnnxModel {
  for (const output of outputs) findProducer(model, output, "read");
  const nodes = graphIndex(model).ancestors(outputs);
  const read = new Set(Array.from(nodes, (number) => valuesRead(model.nodes[number])).flat());
  const inputs = model.inputs.filter(({ name }) => read.has(name));
  return subgraph(model, nodes, { inputs, outputs });
}
