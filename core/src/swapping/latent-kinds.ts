import type { Verdict } from "../labelling/verdict.ts";
import { dot } from "../linalg/dot.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { row } from "../tensor/matrix.ts";
import { type EvidenceSums, evidentEdges } from "./edge-evidence.ts";
import type { Edge } from "./families.ts";
import { type Decoders, isCopy, type WeighedEdges } from "./find-kinship.ts";
import { defaultKindOptions, type KindOptions } from "./kind-options.ts";
import { edgesByParent, type Kinship, type KinshipSums } from "./kinship.ts";

/**
 * What a latent of the larger SAE is, seen from the smaller. In the order in which they are tried:
 *
 * - `dead`: it never fired on this sample;
 * - `novel`: inserting it into the smaller SAE improves reconstruction;
 * - `copy`: points where one latent of the smaller points, and does what that does, or a part of it;
 * - `absorbing`: fires where a parent in the smaller SAE fires and carries its direction, while the parent's copy in the larger SAE is silent;
 * - `split`: one of several latents that share out the firings of one parent, of which the larger SAE has no copy;
 * - `composed`: a sum of several latents of the smaller SAE;
 * - `other`: none of these: a reconstruction of another sort, or a latent of which the sample cannot tell.
 */
export const latentKindNames = ["copy", "split", "absorbing", "composed", "novel", "dead", "other"] as const;

/** Name of one of {@link latentKindNames}. */
export type LatentKindName = (typeof latentKindNames)[number];

/** A latent of the smaller SAE from which one of the larger descends, with the evidence. */
export interface Parent {
  readonly latent: number;
  readonly cosine: number;
  /** Share of the descendant's squared activation that falls where the parent fires. */
  readonly share: number;
  /** Pearson correlation of the two activations. */
  readonly agreement: number;
}

/** A latent's kind, and for kinds that have parents these, by descending cosine. */
export type LatentKind =
  | { readonly kind: "dead" | "novel" }
  | { readonly kind: "copy"; readonly parents: readonly [Parent] }
  | {
      readonly kind: "split";
      readonly parents: readonly [Parent];
      /** The parent's other children, ascending. */
      readonly siblings: readonly number[];
      /** Share of the parent's squared activation that falls where any of its children fires. */
      readonly coverage: number;
      /** Share of the latent's squared activation that falls where parent and a sibling fire too. */
      readonly overlap: number;
    }
  | {
      readonly kind: "absorbing";
      readonly parents: readonly (Parent & {
        /** The parent's copy in the larger SAE. */
        readonly general: number;
        /** Share of the latent's squared activation, where the parent fires, on which that copy fires too. */
        readonly accompanied: number;
      })[];
    }
  | { readonly kind: "composed"; readonly parents: readonly Parent[] }
  | {
      readonly kind: "other";
      /** The closest latent of the smaller SAE that fires where this one does, if any comes close. */
      readonly parents: readonly Parent[];
    };

/** All that was measured of two SAEs' edges. */
export interface MeasuredKinship extends WeighedEdges {
  readonly sums: EvidenceSums;
  readonly kinship: Kinship;
  readonly kinshipSums: KinshipSums;
}

/** The kind of each latent of the larger SAE; `verdict` is what labelling says of each of them ([m]). */
export function latentKinds(
  measured: MeasuredKinship,
  decoders: Decoders,
  verdict: readonly Verdict[],
  options: KindOptions = defaultKindOptions,
): LatentKind[] {
  const { edges } = measured;
  const edgesOf: number[][] = verdict.map(() => []);
  edges.forEach(({ larger }, e) => {
    edgesOf[larger].push(e);
  });
  for (const of of edgesOf)
    of.sort((a, b) => edges[b].cosine - edges[a].cosine || edges[a].smaller - edges[b].smaller);
  const descents = [
    asCopy(measured, options),
    asAbsorbing(measured, options),
    asSplit(measured, decoders, options),
    asComposed(measured, decoders, options),
  ];
  return verdict.map((judged, latent): LatentKind => {
    if (judged === "dead" || judged === "novel") return { kind: judged };
    for (const descent of descents) {
      const kind = descent(edgesOf[latent]);
      if (kind !== null) return kind;
    }
    const near = edgesOf[latent].filter((e) => measured.evidence.shareOfLarger[e] >= options.share);
    return { kind: "other", parents: near.slice(0, 1).map((e) => parentOf(measured, e)) };
  });
}

/** The kind that the edges of one latent, by descending cosine, show it to be; null when it is not of that kind. */
type Descent = (edgesOfLatent: readonly number[]) => LatentKind | null;

function asCopy(measured: MeasuredKinship, options: KindOptions): Descent {
  return (of) => {
    const copied = of.find((e) => isCopy(measured, e, options));
    return copied === undefined ? null : { kind: "copy", parents: [parentOf(measured, copied)] };
  };
}

function asAbsorbing(measured: MeasuredKinship, options: KindOptions): Descent {
  const { edges, evidence, sums, kinship, kinshipSums } = measured;
  return (of) => {
    const parents = of.flatMap((e) => {
      const general = kinship.general[edges[e].smaller];
      const accompanied = kinshipSums.accompanied[e] / sums.largerSquares[e];
      const absorbs =
        general >= 0 && evidence.shareOfLarger[e] >= options.share && accompanied <= options.accompanied;
      return absorbs ? [{ ...parentOf(measured, e), general, accompanied }] : [];
    });
    return parents.length > 0 ? { kind: "absorbing", parents } : null;
  };
}

function asSplit(measured: MeasuredKinship, decoders: Decoders, options: KindOptions): Descent {
  const { edges, sums, kinship, kinshipSums } = measured;
  const normsSquared = rowNormsSquared(decoders.smaller);
  const childrenOf = new Map<number, number[]>();
  for (const [parent, of] of edgesByParent(edges))
    childrenOf.set(
      parent,
      of.filter((e) => kinship.isChild[e] === 1).map((e) => edges[e].larger),
    );
  /** With all children in, taking the parent out where this one fires lowers the error: they can take its place. */
  const canReplace = (e: number) => {
    const alone = sums.smallerSquares[e] * normsSquared[edges[e].smaller] + 2 * sums.projected[e];
    return alone - 2 * kinshipSums.replaced[e] < 0;
  };
  return (of) => {
    for (const e of of) {
      const { smaller, larger } = edges[e];
      const siblings = (childrenOf.get(smaller) ?? []).filter((child) => child !== larger);
      if (kinship.isChild[e] === 0 || kinship.general[smaller] >= 0 || siblings.length === 0) continue;
      const coverage = kinshipSums.covered[smaller] / sums.smaller.squares[smaller];
      const overlap = kinshipSums.crowded[e] / sums.larger.squares[larger];
      if (coverage < options.splitCoverage || overlap > options.splitOverlap || !canReplace(e)) continue;
      return { kind: "split", parents: [parentOf(measured, e)], siblings, coverage, overlap };
    }
    return null;
  };
}

function asComposed(measured: MeasuredKinship, decoders: Decoders, options: KindOptions): Descent {
  const { edges, evidence } = measured;
  const evident = evidentEdges(evidence, { coverage: options.share });
  return (of) => {
    const near = of.filter((e) => evident[e] === 1 && evidence.shareOfLarger[e] >= options.share);
    const parents = addingEdges(near, edges, decoders, options.compositionGain).map((e) =>
      parentOf(measured, e),
    );
    return parents.length > 1 ? { kind: "composed", parents } : null;
  };
}

function parentOf({ edges, evidence }: WeighedEdges, e: number): Parent {
  return {
    latent: edges[e].smaller,
    cosine: edges[e].cosine,
    share: evidence.shareOfLarger[e],
    agreement: evidence.agreement[e],
  };
}

/** Below this share of its squared length, what other directions leave of one is rounding. */
const ROUNDING = 1e-6;

/**
 * Of the edges of one latent those whose parent adds at least `gain` of its squared length to what the parents before explain
 * (Gram–Schmidt): parents that point the same way count once.
 */
function addingEdges(
  candidates: readonly number[],
  edges: readonly Edge[],
  { smaller, larger }: Decoders,
  gain: number,
): number[] {
  const basis: Float64Array[] = [];
  return candidates.filter((e) => {
    const direction = row(larger, edges[e].larger);
    const own = Float64Array.from(row(smaller, edges[e].smaller));
    const whole = dot(own, own);
    for (const other of basis) {
      const along = dot(own, other);
      for (let k = 0; k < own.length; k++) own[k] -= along * other[k];
    }
    const left = dot(own, own);
    if (left <= ROUNDING * whole || dot(own, direction) ** 2 < gain * left * dot(direction, direction))
      return false;
    basis.push(own.map((value) => value / Math.sqrt(left)));
    return true;
  });
}
