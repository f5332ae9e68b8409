import type { GraphView } from "./graph-view.ts";
import { normalizationAt } from "./normalization.ts";
import { isFusedAttention, isMixtureOfExperts, isSoftmax, operandsOf } from "./operators.ts";

/** What a block adds to the residual stream. */
export interface Branch {
  /** The value that is added. */
  readonly value: string;
  /** "blocks" is no branch but the stream itself, some blocks further on. */
  readonly kind: "attention" | "mlp" | "blocks";
  /** What the output projection of an attention branch reads; absent where that is not clear. */
  readonly z?: string;
  /** What the attention or MLP itself returns, where it is normalised before it is added. */
  readonly unnormalized?: string;
}

/**
 * The nodes between `skip` and `value`, both of what `value` comes from and of what `skip` goes into, in the order of the graph; undefined
 * where `value` does not come from `skip`. Takes time linear in what lies between them in the graph's order.
 */
export function nodesBetween(view: GraphView, skip: string, value: string): readonly number[] | undefined {
  const first = view.maker(skip);
  const start = view.maker(value);
  if (value === skip || start <= first) return undefined;
  const seen = new Set([start]);
  const waiting = [start];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    for (const source of view.sources(node)) {
      const maker = view.maker(source);
      if (maker <= first || seen.has(maker)) continue;
      seen.add(maker);
      waiting.push(maker);
    }
  }
  const from = new Set([skip]);
  const between: number[] = [];
  for (const node of [...seen].sort((a, b) => a - b)) {
    if (!view.sources(node).some((source) => from.has(source))) continue;
    between.push(node);
    for (const output of view.nodes[node].outputs) from.add(output);
  }
  return from.has(value) ? between : undefined;
}

/**
 * What the nodes between the residual stream and a value added to it make of the stream: attention where queries meet keys in a product,
 * go through a softmax and are spread over values (a mixture of experts has a softmax too, but of a product with a weight); blocks where
 * attention is made of what other attention returns; else an MLP. Undefined where no weight is multiplied with: such a sum, as in an approximation of GELU, is no residual one.
 */
export function branchOf(view: GraphView, between: readonly number[], value: string): Branch | undefined {
  /** Values made of a product of two values that vary with the input. */
  const scores = new Set<string>();
  /** Values made of attention's weights. */
  const attended = new Set<string>();
  /** Values made of what the projection after attention returns. */
  const later = new Set<string>();
  let kind = "mlp" as Branch["kind"];
  let isWeighted = false;
  let z: string | undefined;
  let unnormalized: string | undefined;
  for (const index of between) {
    const node = view.nodes[index];
    const sources = view.sources(index);
    const operands = operandsOf(node)?.filter((operand) => operand !== "" && !view.isConstant(operand));
    const mark = (values: Set<string>) => {
      for (const output of node.outputs) values.add(output);
    };
    const isLater = sources.some((source) => later.has(source));
    const isProjection = operands?.length === 1;
    if (isLater || (isProjection && attended.has(operands[0]))) mark(later);
    const isFused = isFusedAttention(node);
    if (isFused || (isSoftmax(node) && sources.some((source) => scores.has(source)))) {
      kind = isLater || kind === "blocks" ? "blocks" : "attention";
      isWeighted ||= isFused;
      mark(attended);
    } else if (isProjection) {
      isWeighted = true;
      if (attended.has(operands[0])) z ??= view.uncast(operands[0]);
    } else if (sources.some((source) => attended.has(source))) {
      mark(attended);
    } else if (operands !== undefined || sources.some((source) => scores.has(source))) {
      mark(scores);
    }
    if (isMixtureOfExperts(node)) isWeighted = true;
    if (isProjection) unnormalized = undefined;
    else if (normalizationAt(view, index) !== undefined) unnormalized ??= view.uncast(node.inputs[0]);
  }
  if (!isWeighted) return undefined;
  return {
    value,
    kind,
    ...(z !== undefined && { z }),
    ...(unnormalized !== undefined && { unnormalized }),
  };
}
