import { dot } from "../linalg/dot.ts";
import { type Matrix, row } from "../tensor/matrix.ts";
import type { EdgeEvidence } from "./edge-evidence.ts";
import type { Edge } from "./families.ts";
import type { KindOptions } from "./kind-options.ts";
import type { Kinship } from "./kinship.ts";

/** Edges, and what the activations say of them. */
export interface WeighedEdges {
  readonly edges: readonly Edge[];
  readonly evidence: EdgeEvidence;
}

/** The directions of both SAEs. */
export interface Decoders {
  readonly smaller: Matrix;
  readonly larger: Matrix;
}

/**
 * Who descends from whom, to be measured by `addKinship`. Children point where their parent points and mostly fire where it does; whether
 * they take its place together is left to be measured, since one alone may be too little of it.
 */
export function findKinship(weighed: WeighedEdges, decoders: Decoders, options: KindOptions): Kinship {
  const { edges, evidence } = weighed;
  const general = new Int32Array(decoders.smaller.rows).fill(-1);
  const closest = new Float64Array(decoders.smaller.rows);
  edges.forEach(({ smaller, larger, cosine }, e) => {
    if (!isCopy(weighed, e, options) || cosine <= closest[smaller]) return;
    closest[smaller] = cosine;
    general[smaller] = larger;
  });
  return {
    edges,
    isChild: Uint8Array.from(edges, ({ cosine }, e) =>
      cosine > options.splitCosine && evidence.shareOfLarger[e] >= options.share ? 1 : 0,
    ),
    along: Float64Array.from(edges, ({ smaller, larger }) =>
      dot(row(decoders.smaller, smaller), row(decoders.larger, larger)),
    ),
    general,
  };
}

/** Whether the larger SAE's latent of an edge is a copy of the smaller's: it may do only a part of what that does, but hardly anything else. */
export function isCopy({ edges, evidence }: WeighedEdges, e: number, options: KindOptions): boolean {
  return (
    edges[e].cosine >= options.copyCosine &&
    evidence.shareOfLarger[e] >= options.share &&
    evidence.agreement[e] >= options.copyAgreement
  );
}
