import { type Branch, branchOf, nodesBetween } from "./branch.ts";
import type { GraphView } from "./graph-view.ts";
import { isSum } from "./operators.ts";

/** A place where branches are added to the residual stream. */
export interface ResidualSum {
  /** The stream after. */
  readonly value: string;
  /** The stream before. */
  readonly skip: string;
  /** What is added, in the order of the graph; one, or those of a block that computes them side by side. */
  readonly branches: readonly Branch[];
}

/** No model known adds more values at once. */
const mostTerms = 6;

/**
 * The residual sum that makes a value: one term of it, the stream, is what all others are made of. Sums of sums count as one, in any
 * association. Undefined where the value is made in another way.
 */
export function residualSumOf(view: GraphView, value: string): ResidualSum | undefined {
  let terms = termsOf(view, value);
  while (terms !== undefined && terms.length <= mostTerms) {
    const found = asResidual(view, value, terms);
    if (found !== undefined) return found;
    terms = expandOne(view, terms);
  }
  return undefined;
}

/** The values that a sum adds, in the order in which they are made; undefined where the value is no sum of values that vary. */
function termsOf(view: GraphView, value: string): readonly string[] | undefined {
  const node = view.maker(value);
  if (node < 0 || !isSum(view.nodes[node])) return undefined;
  const terms = view.sources(node);
  return terms.length < 2 ? undefined : inOrder(view, terms);
}

function inOrder(view: GraphView, terms: readonly string[]): readonly string[] {
  return [...terms].sort((a, b) => view.maker(a) - view.maker(b));
}

/** The same sum with the last of the terms that are sums themselves replaced by its terms. */
function expandOne(view: GraphView, terms: readonly string[]): readonly string[] | undefined {
  for (const term of terms.toReversed()) {
    const inner = termsOf(view, view.origin(term));
    if (inner !== undefined) return inOrder(view, [...terms.filter((other) => other !== term), ...inner]);
  }
  return undefined;
}

function asResidual(view: GraphView, value: string, terms: readonly string[]): ResidualSum | undefined {
  const skip = inOrder(
    view,
    terms.map((term) => view.origin(term)),
  )[0];
  const added = terms.filter((term) => view.origin(term) !== skip);
  if (added.length !== terms.length - 1) return undefined;
  const branches: Branch[] = [];
  for (const term of added) {
    const found = branchesOf(view, skip, term, mostTerms);
    if (found === undefined) return undefined;
    branches.push(...found);
  }
  const isAround = branches.some(({ kind }) => kind === "blocks");
  return isAround && added.length > 1 ? undefined : { value, skip, branches };
}

/** What a term adds: one branch; or those that the term is the sum of, where these are attention and MLP. */
function branchesOf(
  view: GraphView,
  skip: string,
  term: string,
  depth: number,
): readonly Branch[] | undefined {
  const value = view.uncast(term);
  if (adds(view, value, skip, mostTerms)) return [{ value, kind: "blocks" }];
  const between = nodesBetween(view, skip, value);
  const whole = between && branchOf(view, between, value);
  if (whole?.kind !== "attention" || depth === 0) return whole && [whole];
  const parts = termsOf(view, view.origin(value))?.map((part) => branchesOf(view, skip, part, depth - 1));
  if (parts === undefined || !parts.every((part) => part !== undefined)) return [whole];
  const branches = parts.flat();
  return branches.some(({ kind }) => kind === "mlp") ? branches : [whole];
}

/** Whether `term` is among what a value is the sum of: then the value is the stream itself, further on. */
function adds(view: GraphView, value: string, term: string, depth: number): boolean {
  const terms = depth > 0 ? (termsOf(view, view.origin(value)) ?? []) : [];
  return terms.some((inner) => view.origin(inner) === term || adds(view, inner, term, depth - 1));
}
