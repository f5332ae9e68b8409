import { FormatError } from "@saestitch/core";
import type { OnnxNode } from "./onnx-model.ts";

/** A node in a few words, for messages. */
export function describeNode({ name, opType, outputs }: OnnxNode): string {
  return `the ${opType} node ${JSON.stringify((name || outputs.find((output) => output !== "")) ?? "")}`;
}

/** The values a node reads: its inputs, and what its own graphs read. */
export function valuesRead({ inputs, captured }: OnnxNode): string[] {
  const read = inputs.filter((input) => input !== "");
  return captured.length === 0 ? read : [...read, ...captured];
}

/**
 * The nodes in an order in which they can be run: as they are when that is one, else each put off until what it reads is made. `given`:
 * values that need no node. Throws {@link FormatError}, beginning with `label`, when two nodes make one value, when nothing makes a value
 * that is read, or when nodes wait for each other.
 */
export function orderNodes(
  nodes: readonly OnnxNode[],
  given: Iterable<string>,
  label: string,
): readonly OnnxNode[] {
  const made = new Set<string>(given);
  const makers = findMakers(nodes, made, label);
  const waiting = new Map<string, number[]>();
  const missing = new Int32Array(nodes.length);
  const ordered: OnnxNode[] = [];
  for (const [number, node] of nodes.entries()) {
    for (const value of new Set(valuesRead(node))) {
      if (made.has(value)) continue;
      if (!makers.has(value)) {
        throw new FormatError(
          `${label}: ${describeNode(node)} reads ${JSON.stringify(value)}, which nothing in it makes`,
        );
      }
      missing[number]++;
      const others = waiting.get(value);
      if (others) others.push(number);
      else waiting.set(value, [number]);
    }
    const ready = missing[number] === 0 ? [number] : [];
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      ordered.push(nodes[next]);
      for (const output of nodes[next].outputs) {
        made.add(output);
        for (const reader of waiting.get(output) ?? []) if (--missing[reader] === 0) ready.push(reader);
        waiting.delete(output);
      }
    }
  }
  if (ordered.length === nodes.length) return ordered;
  const stuck = nodes[missing.findIndex((count) => count > 0)];
  throw new FormatError(`${label} goes in a circle: ${describeNode(stuck)} waits for what depends on it`);
}

function findMakers(nodes: readonly OnnxNode[], given: ReadonlySet<string>, label: string): Set<string> {
  const makers = new Set<string>();
  for (const { outputs } of nodes) {
    for (const output of outputs) {
      if (output === "") continue;
      if (given.has(output) || makers.has(output))
        throw new FormatError(`${label} makes the value ${JSON.stringify(output)} twice`);
      makers.add(output);
    }
  }
  return makers;
}
