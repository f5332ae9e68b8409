import { ShapeError } from "../errors.ts";
import {
  type ActivationMoments,
  addMoments,
  correlationOf,
  emptyMoments,
  mergeMoments,
} from "../labelling/activation-moments.ts";
import { dot } from "../linalg/dot.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { type Matrix, row } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { transposeCode, transposer } from "../tensor/transpose-code.ts";
import type { Edge } from "./families.ts";

/**
 * What the activations say of every edge, as running sums; a plain value, and sums over two stretches of a sample merge.
 *
 * For an edge between latent i of the smaller SAE, with activation g and direction v, and latent j of the larger, with f and w; r is
 * the residual of the smaller SAE. "Both" are the tokens on which i and j fire.
 */
export interface EvidenceSums {
  tokens: number;
  /** [edges] number of tokens of both. */
  readonly together: Float64Array;
  /** [edges] Σ over both of f g. */
  readonly product: Float64Array;
  /** [edges] Σ over both of g². */
  readonly smallerSquares: Float64Array;
  /** [edges] Σ over both of f². */
  readonly largerSquares: Float64Array;
  /** [edges] Σ over both of g ⟨v, r⟩. */
  readonly projected: Float64Array;
  /** Of all latents of the smaller SAE, over all tokens. */
  readonly smaller: ActivationMoments;
  /** Of all latents of the larger SAE, over all tokens. */
  readonly larger: ActivationMoments;
}

/** What the activations say of each edge; every column is [edges]. */
export interface EdgeEvidence {
  /** Share of the firings of the larger SAE's latent on which the smaller's fires too; NaN where it never fires. */
  readonly precision: Float64Array;
  /** Share of the firings of the smaller SAE's latent on which the larger's fires too; NaN where it never fires. */
  readonly recall: Float64Array;
  /** Share of Σ f² that falls on tokens of both: precision with firings weighed by how strong they are, so that faint ones on noise hardly count. */
  readonly shareOfLarger: Float64Array;
  /** Share of Σ g² that falls on tokens of both: recall, weighed likewise. */
  readonly shareOfSmaller: Float64Array;
  /** Pearson correlation of the two activations over all tokens; NaN where one of them never varies. */
  readonly agreement: Float64Array;
  /**
   * Change of the MSE per element when, after the larger SAE's latent was inserted, the smaller's is taken out on the tokens on which
   * both fire. Negative where a swap beats a mere insertion: the smaller's latent had become superfluous.
   */
  readonly replacing: Float64Array;
}

/** Sums over no tokens, for `edges` edges between SAEs of `mSmaller` and `mLarger` latents. */
export function emptyEvidenceSums(edges: number, mSmaller: number, mLarger: number): EvidenceSums {
  const zeros = () => new Float64Array(edges);
  return {
    tokens: 0,
    together: zeros(),
    product: zeros(),
    smallerSquares: zeros(),
    largerSquares: zeros(),
    projected: zeros(),
    smaller: emptyMoments(mSmaller),
    larger: emptyMoments(mLarger),
  };
}

/**
 * Add the codes of the same tokens by both SAEs, in place. `projections` holds ⟨v, r⟩ for each entry of `smaller`.
 *
 * Works by latent: per edge one walk along the tokens of its two latents, so nothing grows with the square of anything.
 */
export function addEvidence(
  sums: EvidenceSums,
  edges: readonly Edge[],
  smaller: SparseCode,
  larger: SparseCode,
  projections: Float32Array,
): void {
  sums.tokens += smaller.rows;
  addMoments(sums.smaller, smaller);
  addMoments(sums.larger, larger);
  const turn = transposer(smaller);
  const host = turn(smaller.values);
  const donor = transposeCode(larger);
  const projected = turn(projections).values;
  for (let e = 0; e < edges.length; e++) {
    const { smaller: i, larger: j } = edges[e];
    const [hostEnd, donorEnd] = [host.offsets[i + 1], donor.offsets[j + 1]];
    let at = host.offsets[i];
    let other = donor.offsets[j];
    while (at < hostEnd && other < donorEnd) {
      const difference = host.indices[at] - donor.indices[other];
      if (difference === 0) {
        const g = host.values[at];
        const f = donor.values[other];
        sums.together[e] += 1;
        sums.product[e] += f * g;
        sums.smallerSquares[e] += g * g;
        sums.largerSquares[e] += f * f;
        sums.projected[e] += g * projected[at];
      }
      if (difference <= 0) at++;
      if (difference >= 0) other++;
    }
  }
}

/** The sums over the tokens of both. Throws {@link ShapeError} when they are not of the same number of edges. */
export function mergeEvidenceSums(a: EvidenceSums, b: EvidenceSums): EvidenceSums {
  if (a.together.length !== b.together.length)
    throw new ShapeError(
      `Cannot merge sums over ${a.together.length} edges with sums over ${b.together.length}`,
    );
  const added = (column: "together" | "product" | "smallerSquares" | "largerSquares" | "projected") =>
    a[column].map((value, e) => value + b[column][e]);
  return {
    tokens: a.tokens + b.tokens,
    together: added("together"),
    product: added("product"),
    smallerSquares: added("smallerSquares"),
    largerSquares: added("largerSquares"),
    projected: added("projected"),
    smaller: mergeMoments(a.smaller, b.smaller),
    larger: mergeMoments(a.larger, b.larger),
  };
}

/**
 * The evidence for each edge from its sums; `smaller` and `larger` give the SAEs' directions and how often each latent fired.
 *
 *     replacing · n · d = Σ_both [ g² ‖v‖² + 2 g ⟨v, r⟩ − 2 g f ⟨v, w⟩ ]
 *
 * is what taking i out changes once j is in. That, and not the swap against the smaller SAE alone, tells whether i and j say the
 * same: swapping an exact copy changes nothing, while inserting it counts twice, so replacing is negative and the edge stays. And
 * a swap that improves only because j brings something new says nothing of i.
 */
export function edgeEvidence(
  edges: readonly Edge[],
  sums: EvidenceSums,
  smaller: { readonly directions: Matrix; readonly firings: Float64Array },
  larger: { readonly directions: Matrix; readonly firings: Float64Array },
): EdgeEvidence {
  const normsSquared = rowNormsSquared(smaller.directions);
  const elements = sums.tokens * smaller.directions.columns;
  const columnOf = (value: (edge: Edge, e: number) => number) => Float64Array.from(edges, value);
  return {
    precision: columnOf((edge, e) => sums.together[e] / larger.firings[edge.larger]),
    recall: columnOf((edge, e) => sums.together[e] / smaller.firings[edge.smaller]),
    shareOfLarger: columnOf((edge, e) => sums.largerSquares[e] / sums.larger.squares[edge.larger]),
    shareOfSmaller: columnOf((edge, e) => sums.smallerSquares[e] / sums.smaller.squares[edge.smaller]),
    agreement: columnOf((edge, e) =>
      correlationOf(sums.product[e], sums.tokens, [sums.smaller, edge.smaller], [sums.larger, edge.larger]),
    ),
    replacing: columnOf((edge, e) => {
      const along = dot(row(smaller.directions, edge.smaller), row(larger.directions, edge.larger));
      const { smallerSquares, projected, product } = sums;
      return (
        (smallerSquares[e] * normsSquared[edge.smaller] + 2 * projected[e] - 2 * product[e] * along) /
        elements
      );
    }),
  };
}

/** Share of what a latent does that must fall where another fires, for the one to count as a part of the other: the more part of it. */
export const DEFAULT_COVERAGE = 0.5;

/**
 * Which edges pass the second rule ([edges], 1 = passes): at least `coverage` of what one of the two latents does falls where the
 * other fires, and the larger SAE's latent can replace the smaller's. Coverage alone gives false parents, since a frequent latent covers rare ones by
 * chance (Tree SAE, arXiv 2605.07922), and the cosine alone joins latents that never fire together.
 *
 * Firings are weighed by their squares ({@link EdgeEvidence.shareOfLarger}): many latents fire faintly on noise, which would count as much as what they are for.
 */
export function evidentEdges(
  { shareOfLarger, shareOfSmaller, replacing }: EdgeEvidence,
  { coverage = DEFAULT_COVERAGE }: { readonly coverage?: number } = {},
): Uint8Array {
  return Uint8Array.from(replacing, (change, e) =>
    Math.max(shareOfLarger[e], shareOfSmaller[e]) >= coverage && change < 0 ? 1 : 0,
  );
}
