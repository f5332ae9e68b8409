import { ShapeError } from "../errors.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { transposeCode } from "../tensor/transpose-code.ts";
import type { Edge } from "./families.ts";

/** Who may descend from whom: a latent of the smaller SAE is the parent of each of its edges. */
export interface Kinship {
  readonly edges: readonly Edge[];
  /** [edges] 1 where the larger SAE's latent counts as a child, whose siblings are the other children of the same parent. */
  readonly isChild: Uint8Array;
  /** [edges] inner product of the two directions. */
  readonly along: Float64Array;
  /** [latents of the smaller SAE] the larger SAE's own version of each of them; −1 where it has none. */
  readonly general: Int32Array;
}

/**
 * Running sums of squared activations over tokens on which parents fire, g of a parent and f of the larger SAE's latent of an edge.
 * A plain value, and sums over two stretches of a sample merge.
 */
export interface KinshipSums {
  /** [latents of the smaller SAE] Σ g² where at least one child fires as well. */
  readonly covered: Float64Array;
  /** [edges] Σ f² where parent and child fire, and at least one of the child's siblings; 0 where the edge is not to a child. */
  readonly crowded: Float64Array;
  /**
   * [edges] Σ g f' ⟨v, w'⟩ where parent and child fire, over all children of the parent: what they, together, say of it there; 0 where the
   * edge is not to a child.
   */
  readonly replaced: Float64Array;
  /** [edges] Σ f² where parent and latent fire, and the parent's own version in the larger SAE as well. */
  readonly accompanied: Float64Array;
}

/** Sums over no tokens. */
export function emptyKinshipSums({ edges, general }: Kinship): KinshipSums {
  return {
    covered: new Float64Array(general.length),
    crowded: new Float64Array(edges.length),
    replaced: new Float64Array(edges.length),
    accompanied: new Float64Array(edges.length),
  };
}

/** Add the codes of the same tokens by both SAEs, in place. Per parent one walk along its tokens and those of its edges' latents. */
export function addKinship(
  sums: KinshipSums,
  { edges, isChild, along, general }: Kinship,
  smaller: SparseCode,
  larger: SparseCode,
): void {
  const host = transposeCode(smaller);
  const donor = transposeCode(larger);
  const parentActivation = new Float32Array(smaller.rows);
  const generalActivation = new Float32Array(smaller.rows);
  const childrenFiring = new Int32Array(smaller.rows);
  const said = new Float64Array(smaller.rows);
  const silence = new Int32Array(0);
  for (const [parent, edgesOfParent] of edgesByParent(edges)) {
    const parentTokens = tokensOf(host, parent);
    const generalTokens = general[parent] < 0 ? silence : tokensOf(donor, general[parent]);
    const children = edgesOfParent.filter((e) => isChild[e] === 1);
    write(host, parent, parentActivation);
    if (general[parent] >= 0) write(donor, general[parent], generalActivation);
    for (const e of children) {
      const { start, end } = entriesOf(donor, edges[e].larger);
      for (let at = start; at < end; at++) {
        childrenFiring[donor.indices[at]]++;
        said[donor.indices[at]] += donor.values[at] * along[e];
      }
    }

    for (const token of parentTokens)
      if (childrenFiring[token] > 0) sums.covered[parent] += parentActivation[token] ** 2;
    for (const e of edgesOfParent) {
      const { start, end } = entriesOf(donor, edges[e].larger);
      for (let at = start; at < end; at++) {
        const token = donor.indices[at];
        if (parentActivation[token] === 0) continue;
        const square = donor.values[at] ** 2;
        if (generalActivation[token] > 0) sums.accompanied[e] += square;
        if (isChild[e] === 0) continue;
        if (childrenFiring[token] > 1) sums.crowded[e] += square;
        sums.replaced[e] += parentActivation[token] * said[token];
      }
    }

    for (const token of parentTokens) parentActivation[token] = 0;
    for (const token of generalTokens) generalActivation[token] = 0;
    for (const e of children)
      for (const token of tokensOf(donor, edges[e].larger)) {
        childrenFiring[token] = 0;
        said[token] = 0;
      }
  }
}

/** The sums over the tokens of both. Throws {@link ShapeError} when they are not of the same edges and latents. */
export function mergeKinshipSums(a: KinshipSums, b: KinshipSums): KinshipSums {
  if (a.crowded.length !== b.crowded.length || a.covered.length !== b.covered.length)
    throw new ShapeError(
      `Cannot merge sums over ${a.crowded.length} edges of ${a.covered.length} latents with sums over ${b.crowded.length} edges of ${b.covered.length}`,
    );
  return {
    covered: a.covered.map((value, i) => value + b.covered[i]),
    crowded: a.crowded.map((value, e) => value + b.crowded[e]),
    replaced: a.replaced.map((value, e) => value + b.replaced[e]),
    accompanied: a.accompanied.map((value, e) => value + b.accompanied[e]),
  };
}

/** The indices of each parent's edges. */
export function edgesByParent(edges: readonly Edge[]): Map<number, number[]> {
  const edgesOf = new Map<number, number[]>();
  edges.forEach(({ smaller }, e) => {
    const known = edgesOf.get(smaller);
    if (known === undefined) edgesOf.set(smaller, [e]);
    else known.push(e);
  });
  return edgesOf;
}

/** Where the entries of a row lie. */
function entriesOf({ offsets }: SparseCode, row: number) {
  return { start: offsets[row], end: offsets[row + 1] };
}

function tokensOf(code: SparseCode, latent: number): Int32Array {
  return code.indices.subarray(code.offsets[latent], code.offsets[latent + 1]);
}

/** Write a latent's activations to the places of its tokens. */
function write(code: SparseCode, latent: number, activation: Float32Array): void {
  const { start, end } = entriesOf(code, latent);
  for (let at = start; at < end; at++) activation[code.indices[at]] = code.values[at];
}
