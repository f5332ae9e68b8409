import {
  type CosineFamilies,
  type FamilyOptions,
  type FamilyReport,
  type LatentKind,
  type LatentKindName,
  latentKindNames,
} from "@saestitch/core";
import type { SaeInput, SampleRecord } from "../inputs/provenance.ts";
import { describeSae, type SaeDescription, type SaeSummary, saeSummary } from "../inputs/sae-record.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";

/** Version of the document; docs/stitch-output.md describes every field. */
export const FAMILIES_SCHEMA = "saestitch.families/1";

/** The families of a pair of SAEs, and what they were made from. */
export interface FamiliesRun {
  readonly smaller: SaeInput;
  readonly larger: SaeInput;
  readonly cosine: number;
  readonly found: CosineFamilies;
  /** What activations say of them; absent when none were given. */
  readonly measured?: { readonly sample: SampleRecord; readonly report: FamilyReport };
}

/** What `families --json` prints, except for the families and latents themselves. Numbers that are not defined are null. */
export interface FamiliesSummary {
  readonly schema: typeof FAMILIES_SCHEMA;
  readonly smaller: FamiliesSae;
  readonly larger: FamiliesSae;
  readonly options: FamilyOptions | { readonly cosine: number };
  /** How many families have so many latents of either SAE. */
  readonly sizes: CosineFamilies["sizes"];
  readonly edges: number;
  readonly activations: { readonly location: string; readonly rows: number } | null;
  readonly tokens: number | null;
  readonly documents: number | null;
  readonly excluded: { readonly rows: number; readonly tokens: readonly number[] } | null;
  readonly nonFinite: number | null;
  /** How many latents of the larger SAE are of each kind. */
  readonly kinds: Readonly<Record<LatentKindName, number>> | null;
  /** Effects of swapping families that have latents of both SAEs. */
  readonly effects: Readonly<Record<string, number>> | null;
}

/** One of the two SAEs: measured by itself where there are activations. */
export type FamiliesSae = SaeSummary | SaeDescription;

/** The summary of a run. */
export function familiesSummary({ smaller, larger, cosine, found, measured }: FamiliesRun): FamiliesSummary {
  const report = measured?.report;
  return {
    schema: FAMILIES_SCHEMA,
    smaller: report ? saeSummary(smaller, report.smaller) : describeSae(smaller),
    larger: report ? saeSummary(larger, report.larger) : describeSae(larger),
    options: report?.options ?? { cosine },
    sizes: found.sizes,
    edges: found.edges.length,
    activations: measured ? { location: measured.sample.location, rows: measured.sample.rows } : null,
    tokens: report?.tokens ?? null,
    documents: report?.documents ?? null,
    excluded: measured ? { rows: measured.report.excluded, tokens: measured.sample.excludedTokens } : null,
    nonFinite: report?.nonFinite ?? null,
    kinds: report ? countKinds(report) : null,
    effects: report ? countEffects(report) : null,
  };
}

/** A family in the document. Numbers are of swapping it alone, and absent without activations. */
export interface FamilyRecord {
  readonly smaller: readonly number[];
  readonly larger: readonly number[];
  /** Change of the smaller SAE's MSE per element; lower is better. */
  readonly deltaMse?: number | null;
  readonly standardError?: number | null;
  readonly pValue?: number | null;
  /** Change of the mean number of active latents per token. */
  readonly deltaL0?: number | null;
  /** improves, worsens, undecided or silent. */
  readonly effect?: string;
}

/** The document of `families --json`: the summary, every family and every latent of the larger SAE. */
export function familiesDocument(run: FamiliesRun): FamiliesSummary & {
  readonly families: readonly FamilyRecord[];
  readonly latents: readonly LatentKind[] | null;
} {
  const { found, measured } = run;
  const report = measured?.report;
  return {
    ...familiesSummary(run),
    families: found.families.map(({ smaller, larger }, f) => ({
      smaller,
      larger,
      ...(report && {
        deltaMse: finiteOrNull(report.swaps.deltaMse[f]),
        standardError: finiteOrNull(report.swaps.standardError[f]),
        pValue: finiteOrNull(report.swaps.pValue[f]),
        deltaL0: finiteOrNull(report.swaps.deltaL0[f]),
        effect: report.swaps.effect[f],
      }),
    })),
    latents: report?.kinds ?? null,
  };
}

/** How many latents of the larger SAE are of each kind. */
export function countKinds({ kinds }: FamilyReport): Record<LatentKindName, number> {
  const counts = Object.fromEntries(latentKindNames.map((name) => [name, 0])) as Record<
    LatentKindName,
    number
  >;
  for (const { kind } of kinds) counts[kind]++;
  return counts;
}

/** How many of the families with latents of both SAEs have each effect when they are swapped. */
export function countEffects({ families, swaps }: FamilyReport): Record<string, number> {
  const counts: Record<string, number> = { improves: 0, worsens: 0, undecided: 0, silent: 0 };
  families.forEach(({ smaller, larger }, f) => {
    if (smaller.length > 0 && larger.length > 0) counts[swaps.effect[f]]++;
  });
  return counts;
}
