import { makeValue } from "./make-value.ts";
import type { OnnxInitializer, OnnxModel, OnnxValue } from "./onnx-model.ts";
import { valuesRead } from "./order-nodes.ts";

/** The part of a model that some of its nodes, by number, and the constants they read make up. */
export function subgraph(
  model: OnnxModel,
  numbers: ReadonlySet<number>,
  { inputs, outputs }: { readonly inputs: readonly OnnxValue[]; readonly outputs: readonly string[] },
): OnnxModel {
  const nodes = model.nodes.filter((_, number) => numbers.has(number));
  const initializers = new Map<string, OnnxInitializer>();
  const values = new Map<string, OnnxValue>();
  const wanted = new Set(outputs);
  for (const node of nodes) {
    for (const name of valuesRead(node)) {
      const initializer = model.initializers.get(name);
      if (initializer) initializers.set(name, initializer);
    }
    for (const name of node.outputs) {
      const value = model.values.get(name);
      if (value && !wanted.has(name)) values.set(name, value);
    }
  }
  const described = new Map(model.outputs.map((value) => [value.name, value]));
  return {
    ...model,
    nodes,
    initializers,
    inputs,
    outputs: Array.from(wanted, (name) => described.get(name) ?? model.values.get(name) ?? makeValue(name)),
    values,
  };
}
