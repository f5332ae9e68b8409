import { graphIndex } from "../onnx/graph-index.ts";
import type { OnnxGraph, OnnxNode } from "../onnx/onnx-model.ts";
import { valuesRead } from "../onnx/order-nodes.ts";
import {
  isCarrying,
  isDequantizing,
  isQuantizing,
  isRetyping,
  isSizing,
  isTransparent,
} from "./operators.ts";

/** A graph with the questions that finding a structure in it asks. */
export interface GraphView {
  readonly nodes: readonly OnnxNode[];
  /** Place in {@link nodes} of the node that makes a value; −1 for an input of the graph and for what nothing makes. */
  maker(value: string): number;
  /** Whether a value is the same for every input of the graph. */
  isConstant(value: string): boolean;
  /**
   * The values that a node's numbers come from: without constants, without what gives a shape or an index only, and without what the graph
   * (which may be anyone's) claims to be made after it is read.
   */
  sources(node: number): readonly string[];
  /** Nodes that read a value. */
  readers(value: string): readonly number[];
  /** The first value that has the numbers of `value`, before they were cast, quantised or reshaped. */
  origin(value: string): string;
  /** The first value that has the numbers and the shape of `value`, before they were cast or quantised. */
  uncast(value: string): string;
}

/** Look at a graph in this way. Takes time linear in its size. */
export function viewGraph(graph: OnnxGraph): GraphView {
  const { nodes } = graph;
  const { producer, consumers } = graphIndex(graph);
  const maker = (value: string) => producer(value) ?? -1;
  const constants = new Set<string>(graph.initializers.keys());
  for (const node of nodes) {
    const read = valuesRead(node);
    const isConstant =
      read.length === 0 ? node.opType === "Constant" : read.every((value) => constants.has(value));
    if (isConstant) for (const output of node.outputs) constants.add(output);
  }
  const sources = nodes.map((node, index) => {
    if (isSizing(node)) return [];
    const isCarried = isCarrying(node) && node.inputs.length > 0 && !constants.has(node.inputs[0]);
    const read = isCarried ? [node.inputs[0]] : valuesRead(node);
    return [...new Set(read)].filter((value) => !constants.has(value) && maker(value) < index);
  });
  const view = {
    nodes,
    maker,
    isConstant: (value: string) => constants.has(value),
    sources: (node: number) => sources[node],
    readers: consumers,
  };
  return { ...view, origin: originsThrough(view, isTransparent), uncast: originsThrough(view, isRetyping) };
}

/** What values are before all nodes of one kind that make them. */
function originsThrough(
  { nodes, sources }: Pick<GraphView, "nodes" | "sources">,
  isPassed: (node: OnnxNode) => boolean,
): (value: string) => string {
  const origins = new Map<string, string>();
  /** Small integers that were made of numbers: alone they are no activations. */
  const quantized = new Set<string>();
  for (const [index, node] of nodes.entries()) {
    const [source] = sources(index);
    if (!isPassed(node) || source === undefined || source !== node.inputs[0]) continue;
    if (isDequantizing(node) && !quantized.has(source)) continue;
    const [output] = node.outputs;
    origins.set(output, origins.get(source) ?? source);
    if (isQuantizing(node) || (quantized.has(source) && !isDequantizing(node))) quantized.add(output);
  }
  return (value) => origins.get(value) ?? value;
}
