import { UnsupportedError } from "@saestitch/core";
import { findProducer } from "./find-producer.ts";
import { graphIndex } from "./graph-index.ts";
import { makeValue } from "./make-value.ts";
import type { OnnxModel, OnnxNode, OnnxValue } from "./onnx-model.ts";
import { valuesRead } from "./order-nodes.ts";
import { subgraph } from "./subgraph.ts";

/** What of a model computes some outputs when one of its values is an input. */
export interface TailPlan {
  readonly cut: string;
  readonly outputs: readonly string[];
  /** Numbers of the nodes that are needed and depend on the cut, and of those they need that depend on constants alone. */
  readonly nodes: ReadonlySet<number>;
  /** Values besides the cut that the head is to give and the tail to read, in the order it reads them. */
  readonly crossing: readonly string[];
  /** Inputs of the model that the tail reads itself. */
  readonly inputs: readonly string[];
}

/** Whether values that a node makes hold anything of the values it reads, and not of their shapes alone. */
export function passesValues({ opType, domain }: OnnxNode): boolean {
  return domain !== "" || (opType !== "Shape" && opType !== "Size");
}

/**
 * Plan the part of a model that computes `outputs` from the value `cut`. Throws {@link UnsupportedError} where no node makes the cut, or an
 * output does not depend on it.
 */
export function planTail(model: OnnxModel, cut: string, outputs: readonly string[]): TailPlan {
  findProducer(model, cut, "replace");
  const index = graphIndex(model);
  const reached = index.descendants([cut], { passes: passesValues });
  for (const output of outputs) {
    const maker = findProducer(model, output, "compute");
    if (!reached.has(maker) || output === cut) {
      throw new UnsupportedError(
        `Cannot replace ${JSON.stringify(cut)} of ${model.location}: nothing that ${JSON.stringify(output)} is computed from depends on it`,
      );
    }
  }
  const after = index.descendants([cut]);
  const needed = index.ancestors(outputs, { until: cut });
  const varying = index.descendants(model.inputs.map(({ name }) => name));
  const given = new Set(model.inputs.map(({ name }) => name));
  const nodes = new Set([...needed].filter((number) => after.has(number)).sort((a, b) => a - b));
  const crossing = new Set<string>();
  const inputs = new Set<string>();
  const constant = new Set<string>();
  for (const number of nodes) {
    for (const value of valuesRead(model.nodes[number])) {
      const maker = index.producer(value);
      if (value === cut || (maker !== undefined && after.has(maker))) continue;
      if (given.has(value)) inputs.add(value);
      else if (maker !== undefined) (varying.has(maker) ? crossing : constant).add(value);
    }
  }
  for (const number of index.ancestors(constant)) nodes.add(number);
  return { cut, outputs, nodes, crossing: [...crossing], inputs: [...inputs] };
}

/**
 * The model that a plan describes: its inputs are the cut, the crossing values, and those of the whole model that it reads. `types`: codes of
 * `TensorProto.DataType` by value, which the loaded head knows; what the file says of a value is used where it does not. Throws
 * {@link UnsupportedError} for a value whose type neither knows.
 */
export function tailModel(
  model: OnnxModel,
  { cut, outputs, nodes, crossing, inputs }: TailPlan,
  types: ReadonlyMap<string, number>,
): OnnxModel {
  const read = new Set(inputs);
  const made = [cut, ...crossing].map((name) => describeInput(model, name, types.get(name)));
  return subgraph(model, nodes, {
    inputs: [...made, ...model.inputs.filter(({ name }) => read.has(name))],
    outputs,
  });
}

/**
 * A shape without its numbers but the last. Files state sizes that only the traced example had: between nodes they do no harm, but an input is
 * held to them.
 */
function looseShape(shape: OnnxValue["shape"]): OnnxValue["shape"] {
  return shape?.map((axis, i) => (typeof axis === "number" && i < shape.length - 1 ? "" : axis));
}

function describeInput(model: OnnxModel, name: string, knownType: number | undefined): OnnxValue {
  const value = model.values.get(name) ?? model.outputs.find((output) => output.name === name);
  const elementType = knownType ?? value?.elementType;
  if (elementType !== undefined) return makeValue(name, elementType, looseShape(value?.shape));
  throw new UnsupportedError(
    `Cannot cut ${model.location} at ${JSON.stringify(name)}: its element type is not known`,
  );
}
