import type { CodedSample } from "../codes/coded-sample.ts";
import { DataError, UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { PUBLISHED_COSINE_THRESHOLD } from "../labelling/cosine-predictor.ts";
import { type InsertionEffect, insertionEffect } from "../labelling/insertion-effect.ts";
import { decideVerdicts, type Verdict } from "../labelling/verdict.ts";
import { type ReconstructionMetrics, reconstructionMetrics } from "../metrics/reconstruction.ts";
import { checkComparable } from "../sae/comparable.ts";
import type { Sae } from "../sae/sae.ts";
import { cosineEdges } from "./cosine-edges.ts";
import { DEFAULT_COVERAGE, type EdgeEvidence, edgeEvidence, evidentEdges } from "./edge-evidence.ts";
import type { Edge, Family } from "./families.ts";
import { type FamilySizes, familySizes } from "./family-sizes.ts";
import { type FamilySwaps, familySwaps } from "./family-swaps.ts";
import { findFamilies } from "./find-families.ts";
import { findKinship } from "./find-kinship.ts";
import { defaultKindOptions, type KindOptions, leastCosine } from "./kind-options.ts";
import { type LatentKind, latentKinds } from "./latent-kinds.ts";
import { measureEvidence } from "./measure-evidence.ts";
import { measureSwaps } from "./measure-swaps.ts";

/** Which latents of two SAEs belong together. */
export interface CosineFamilies {
  /** Pairs of latents that join families, by larger latent and then by smaller. */
  readonly edges: readonly Edge[];
  /** Every latent of both SAEs is in one of them. */
  readonly families: readonly Family[];
  readonly sizes: FamilySizes;
}

/**
 * What joins two latents into one family.
 *
 * - `cosine`: that their directions' cosine is above the threshold, as published;
 * - `evidence`: that, and that they fire together and one can replace the other (`evidentEdges`), which breaks chains of similar directions.
 */
export type FamilyRule = "cosine" | "evidence";

export interface FamilyOptions {
  /** Directions must have a cosine above this. */
  readonly cosine: number;
  readonly rule: FamilyRule;
  /** Share of what one latent does that must fall where the other fires, under the rule `evidence` and in kinds. */
  readonly coverage: number;
  /** Share of wrong signs tolerated among the decided latents, and among the decided families (Benjamini–Hochberg). */
  readonly falseDiscoveryRate: number;
}

export const defaultFamilyOptions: FamilyOptions = {
  cosine: PUBLISHED_COSINE_THRESHOLD,
  rule: "cosine",
  coverage: DEFAULT_COVERAGE,
  falseDiscoveryRate: 0.05,
};

/** Families, what swapping each of them does, and what each latent of the larger SAE is. */
export interface FamilyReport extends CosineFamilies {
  readonly tokens: number;
  /** Documents the standard errors rest on; equal to `tokens` when the sample does not know its documents. */
  readonly documents: number;
  /** Rows left out because the source marks them. */
  readonly excluded: number;
  /** Rows left out because they hold NaN or infinite values. */
  readonly nonFinite: number;
  readonly options: FamilyOptions;
  readonly kindOptions: KindOptions;
  readonly smaller: ReconstructionMetrics;
  readonly larger: ReconstructionMetrics;
  /** Of each of `edges`. */
  readonly evidence: EdgeEvidence;
  /** Of each of `families`. */
  readonly swaps: FamilySwaps;
  /** Of inserting each latent of the larger SAE alone, as labelling has it; every column is [m]. */
  readonly insertion: Omit<InsertionEffect, "documents"> & {
    readonly verdict: readonly Verdict[];
    readonly pValue: Float64Array;
  };
  /** [m] of each latent of the larger SAE. */
  readonly kinds: readonly LatentKind[];
}

/** Families by the cosines of the directions alone, without any activations. Throws as {@link checkComparable} does. */
export async function cosineFamilies(
  smaller: Sae,
  larger: Sae,
  kernels: Kernels,
  { cosine = defaultFamilyOptions.cosine }: { readonly cosine?: number } = {},
): Promise<CosineFamilies> {
  checkComparable([smaller, larger]);
  return joined(await cosineEdges(smaller.decoder, larger.decoder, cosine, kernels), smaller, larger);
}

/**
 * Find the families of the two SAEs of `coded` (smaller, larger), and measure them in two passes over it: first single latents and edges,
 * from which families and kinship follow, then the swaps of families and what kinship needs.
 *
 * Throws UnsupportedError unless there are two SAEs, as {@link checkComparable} does, and {@link DataError} when no token counts.
 */
export async function measureFamilies(
  coded: CodedSample,
  kernels: Kernels,
  {
    kinds = {},
    onRows = () => {},
    ...chosen
  }: Partial<FamilyOptions> & {
    /** Split children begin where families do, and descendants need the same coverage, unless said here. */
    readonly kinds?: Partial<KindOptions>;
    /** Called after every batch with the rows done, of both passes together, and how many there are to do. */
    readonly onRows?: (done: number, of: number) => void;
  } = {},
): Promise<FamilyReport> {
  if (coded.saes.length !== 2)
    throw new UnsupportedError(
      `Families are of two SAEs, a smaller and a larger; the codes are of ${coded.saes.length}`,
    );
  checkComparable(coded.saes);
  const options = { ...defaultFamilyOptions, ...chosen };
  const kindOptions = {
    ...defaultKindOptions,
    splitCosine: options.cosine,
    share: options.coverage,
    ...kinds,
  };
  const [smaller, larger] = coded.saes;
  const floor = Math.min(leastCosine(coded.d), options.cosine, kindOptions.splitCosine);
  const candidates = await cosineEdges(smaller.decoder, larger.decoder, floor, kernels);

  const measured = await measureEvidence(coded, candidates, kernels, (rows) => onRows(rows, 2 * coded.rows));
  const { tokens } = measured.edges;
  if (tokens === 0)
    throw new DataError(
      `No token of ${coded.location} counts: ${measured.excluded} are excluded, ${measured.nonFinite} not finite`,
    );
  const firings = { smaller: measured.smaller.firings, larger: measured.larger.firings };
  const evidence = edgeEvidence(
    candidates,
    measured.edges,
    { directions: smaller.decoder, firings: firings.smaller },
    { directions: larger.decoder, firings: firings.larger },
  );
  const smallerMetrics = reconstructionMetrics(measured.smaller);
  const { documents, ...inserted } = insertionEffect(measured.insertion, larger.decoder, {
    meanResidual: smallerMetrics.meanResidual,
  });
  const verdicts = decideVerdicts(
    inserted.deltaMse,
    inserted.standardError,
    firings.larger,
    options.falseDiscoveryRate,
  );

  const kept = keptCandidates(candidates, evidence, options);
  const found = joined(
    kept.map((e) => candidates[e]),
    smaller,
    larger,
  );
  const weighed = { edges: candidates, evidence };
  const decoders = { smaller: smaller.decoder, larger: larger.decoder };
  const kinship = findKinship(weighed, decoders, kindOptions);
  const second = await measureSwaps(coded, found.families, kinship, kernels, (rows) =>
    onRows(coded.rows + rows, 2 * coded.rows),
  );
  return {
    ...found,
    tokens,
    documents,
    excluded: measured.excluded,
    nonFinite: measured.nonFinite,
    options,
    kindOptions,
    smaller: smallerMetrics,
    larger: reconstructionMetrics(measured.larger),
    evidence: evidenceOf(evidence, kept),
    swaps: familySwaps(found.families, second.swaps, coded.d, firings, options.falseDiscoveryRate),
    insertion: { ...inserted, ...verdicts },
    kinds: latentKinds(
      { ...weighed, sums: measured.edges, kinship, kinshipSums: second.kinship },
      decoders,
      verdicts.verdict,
      kindOptions,
    ),
  };
}

function joined(edges: readonly Edge[], smaller: Sae, larger: Sae): CosineFamilies {
  const families = findFamilies(edges, smaller.decoder.rows, larger.decoder.rows);
  return { edges, families, sizes: familySizes(families) };
}

/** The indices of the edges that join families. */
function keptCandidates(
  candidates: readonly Edge[],
  evidence: EdgeEvidence,
  { cosine, rule, coverage }: FamilyOptions,
): number[] {
  const above = Array.from(candidates.keys()).filter((e) => candidates[e].cosine > cosine);
  switch (rule) {
    case "cosine":
      return above;
    case "evidence": {
      const evident = evidentEdges(evidence, { coverage });
      return above.filter((e) => evident[e] === 1);
    }
    default:
      return rule satisfies never;
  }
}

/** The rows of `evidence` that belong to the edges at `indices`. */
function evidenceOf(evidence: EdgeEvidence, indices: readonly number[]): EdgeEvidence {
  const pick = (column: Float64Array) => Float64Array.from(indices, (e) => column[e]);
  return {
    precision: pick(evidence.precision),
    recall: pick(evidence.recall),
    shareOfLarger: pick(evidence.shareOfLarger),
    shareOfSmaller: pick(evidence.shareOfSmaller),
    agreement: pick(evidence.agreement),
    replacing: pick(evidence.replacing),
  };
}
