import type { ModelNormalization } from "../model.ts";
import type { GraphView } from "./graph-view.ts";
import { isSizing, isSum, isTransparent } from "./operators.ts";

/** How the normalisation works that a node is, or begins by taking a statistic of what it reads; undefined for a node that does neither. */
export function normalizationAt(view: GraphView, node: number): "layer" | "rms" | undefined {
  const { opType, inputs } = view.nodes[node];
  switch (opType) {
    case "LayerNormalization":
    case "ReduceMean":
      return "layer";
    case "SimplifiedLayerNormalization":
    case "RMSNormalization":
    case "Pow":
    case "ReduceSumSquare":
    case "ReduceL2":
      return "rms";
    case "Mul":
      return view.origin(inputs[0]) === view.origin(inputs[1]) ? "rms" : undefined;
    default:
      return undefined;
  }
}

/**
 * How a residual stream is normalised wherever it is read: "layer" if every reader of each of its values subtracts the mean, "rms" if every
 * reader divides by the root of the mean square alone; "unknown" where readers differ, or one reads the stream as it is.
 */
export function normalizationOfStream(view: GraphView, values: readonly string[]): ModelNormalization {
  const kinds = new Set(values.map((value) => normalizationOfReaders(view, value)));
  const [kind] = kinds;
  return kinds.size === 1 ? kind : "unknown";
}

function normalizationOfReaders(view: GraphView, value: string): ModelNormalization {
  const kinds = new Set<"layer" | "rms">();
  const sameNumbers = [value];
  for (const name of sameNumbers) {
    for (const index of view.readers(name)) {
      const node = view.nodes[index];
      if (isTransparent(node)) {
        if (node.inputs[0] === name && view.sources(index).includes(name)) sameNumbers.push(node.outputs[0]);
        continue;
      }
      const kind = normalizationAt(view, index);
      if (kind !== undefined) kinds.add(kind);
      else if (!isSum(node) && !isSizing(node) && !usesStatistic(node.opType)) return "unknown";
    }
  }
  const [kind] = kinds;
  return kinds.size === 1 ? kind : "unknown";
}

/** Whether an operator may be the part of a normalisation that takes the mean off, or divides. */
function usesStatistic(opType: string): boolean {
  return opType === "Sub" || opType === "Mul" || opType === "Div";
}
