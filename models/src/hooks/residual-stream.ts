import type { GraphView } from "./graph-view.ts";
import { isCarrying, isSum } from "./operators.ts";
import { type ResidualSum, residualSumOf } from "./residual-sum.ts";

/** A residual stream: a value that one branch after the other is added to. */
export interface ResidualStream {
  /** In the order of the computation; the skip of each is the value of the one before, or that value with its axes moved. */
  readonly sums: readonly ResidualSum[];
  /** Another residual sum that the stream's first value is made of, and what lies between. */
  readonly before?: { readonly value: string; readonly between: readonly number[] };
}

/** Sums in vain that are looked into before the search for the next residual one ends. */
const mostFailures = 16;

/** The residual stream that ends nearest to an output of the graph; undefined where none is found. */
export function residualStreamTo(view: GraphView, output: string): ResidualStream | undefined {
  const last = nextResidualSum(view, output);
  if (last === undefined) return undefined;
  const sums = [last.sum];
  for (;;) {
    const next = nextResidualSum(view, sums[0].skip);
    if (next === undefined) return { sums };
    if (!next.between.every((node) => isCarrying(view.nodes[node]))) {
      return { sums, before: { value: next.sum.value, between: next.between } };
    }
    sums.unshift(next.sum);
  }
}

/** A residual sum, and the nodes between it and the value that it was looked for behind. */
interface FoundSum {
  readonly sum: ResidualSum;
  readonly between: readonly number[];
}

/** The residual sum that is nearest behind a value, or makes it. */
function nextResidualSum(view: GraphView, value: string): FoundSum | undefined {
  let failures = 0;
  for (const { waist, between } of waistsBehind(view, value)) {
    const maker = view.maker(waist);
    if (!isSum(view.nodes[maker]) || view.sources(maker).length < 2) continue;
    const sum = residualSumOf(view, waist);
    const around = sum?.branches.find(({ kind }) => kind === "blocks");
    if (around !== undefined) {
      // A value from before several blocks is added after them: the stream goes through the blocks.
      const next = nextResidualSum(view, view.origin(around.value));
      return next && { sum: next.sum, between: [...between, maker, ...next.between] };
    }
    if (sum !== undefined) return { sum, between };
    if (++failures > mostFailures) return undefined;
  }
  return undefined;
}

/**
 * The values, from `value` back, that all of `value` comes through, as far as one can be told from looking at the graph in reverse
 * order: each is alone left to be explained once the nodes `between` it and `value` are. Ends at the graph's inputs.
 */
function* waistsBehind(
  view: GraphView,
  value: string,
): Generator<{ readonly waist: string; readonly between: readonly number[] }> {
  const wanted = new Set([value]);
  const between: number[] = [];
  for (let index = view.maker(value); index >= 0; index--) {
    const made = view.nodes[index].outputs.filter((output) => wanted.has(output));
    if (made.length === 0) continue;
    if (wanted.size === 1) yield { waist: made[0], between };
    for (const output of made) wanted.delete(output);
    for (const source of view.sources(index)) {
      if (view.maker(source) < 0) return;
      wanted.add(source);
    }
    between.push(index);
  }
}
