import { graphIndex } from "./graph-index.ts";
import type { OnnxModel, OnnxNode } from "./onnx-model.ts";
import { valuesRead } from "./order-nodes.ts";
import { passesValues, planTail } from "./tail-of.ts";

/** A way around a cut: a value from before it, and the node after it that reads the value. */
export interface Bypass {
  readonly value: string;
  readonly node: OnnxNode;
}

/**
 * The edges by which what depends on `source` reaches the outputs around `cut`; none where the cut separates the two. A shape that was taken
 * of a value does not count as depending on it. Throws UnsupportedError where the cut does not reach the outputs.
 */
export function bypasses(
  model: OnnxModel,
  cut: string,
  source: string,
  outputs: readonly string[],
): readonly Bypass[] {
  planTail(model, cut, outputs);
  const index = graphIndex(model);
  const after = index.descendants([cut]);
  const fromSource = index.descendants([source], { passes: passesValues });
  const toOutputs = index.ancestors(outputs, { until: cut, passes: passesValues });
  const found: Bypass[] = [];
  for (const [number, node] of model.nodes.entries()) {
    if (!toOutputs.has(number) || !after.has(number)) continue;
    for (const value of new Set(valuesRead(node))) {
      const maker = index.producer(value);
      const carries = value === source || (maker !== undefined && fromSource.has(maker));
      const isBefore = value !== cut && (maker === undefined || !after.has(maker));
      if (carries && isBefore) found.push({ value, node });
    }
  }
  return found;
}
