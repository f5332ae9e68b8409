import type { OnnxGraph, OnnxNode } from "./onnx-model.ts";
import { valuesRead } from "./order-nodes.ts";

/**
 * Which nodes make and read which values. Nodes are numbered by their place in the graph; what a node's own graphs read counts as read by the
 * node. All questions are answered in time linear in the graph.
 */
export interface GraphIndex {
  /** The node that makes a value; nothing for inputs and initializers. */
  producer(value: string): number | undefined;
  /** The nodes that read a value, each once, in order. */
  consumers(value: string): readonly number[];
  /** The nodes that some values depend on, those that make them included. `until`: a value whose maker is left out. */
  ancestors(values: Iterable<string>, options?: PathOptions & { readonly until?: string }): Set<number>;
  /** The nodes that depend on some values. */
  descendants(values: Iterable<string>, options?: PathOptions): Set<number>;
}

/** What counts as depending. */
export interface PathOptions {
  /** Whether what a node makes depends on what it reads (default: always); where not, the node is left out. */
  readonly passes?: (node: OnnxNode) => boolean;
}

const indices = new WeakMap<OnnxGraph, GraphIndex>();

/** The index of a graph; made once for each graph. */
export function graphIndex(graph: OnnxGraph): GraphIndex {
  const known = indices.get(graph);
  if (known) return known;
  const made = makeIndex(graph.nodes);
  indices.set(graph, made);
  return made;
}

function makeIndex(nodes: readonly OnnxNode[]): GraphIndex {
  const reads = nodes.map((node) => [...new Set(valuesRead(node))]);
  const producers = new Map<string, number>();
  const consumers = new Map<string, number[]>();
  for (const [number, { outputs }] of nodes.entries()) {
    for (const output of outputs) if (output !== "") producers.set(output, number);
    for (const value of reads[number]) {
      const known = consumers.get(value);
      if (known) known.push(number);
      else consumers.set(value, [number]);
    }
  }
  return {
    producer: (value) => producers.get(value),
    consumers: (value) => consumers.get(value) ?? [],
    ancestors(values, { until, passes = () => true } = {}) {
      const found = new Set<number>();
      const open = [...values];
      for (let value = open.pop(); value !== undefined; value = open.pop()) {
        const number = value === until ? undefined : producers.get(value);
        if (number === undefined || found.has(number) || !passes(nodes[number])) continue;
        found.add(number);
        for (const read of reads[number]) open.push(read);
      }
      return found;
    },
    descendants(values, { passes = () => true } = {}) {
      const found = new Set<number>();
      const open = [...values];
      for (let value = open.pop(); value !== undefined; value = open.pop()) {
        for (const number of consumers.get(value) ?? []) {
          if (found.has(number) || !passes(nodes[number])) continue;
          found.add(number);
          for (const output of nodes[number].outputs) if (output !== "") open.push(output);
        }
      }
      return found;
    },
  };
}
