import type { FamilyReport, LatentKind } from "@saestitch/core";
import type { SampleRecord } from "../inputs/provenance.ts";
import type { OutputFolder, OutputKind } from "../output/output-folder.ts";
import { parquetTable } from "../output/parquet-table.ts";
import { type PairCircumstances, writePairRun } from "../output/write-pair-run.ts";
import { FAMILIES_SCHEMA, type FamiliesRun, familiesSummary } from "./families-document.ts";
import { familiesPicture } from "./families-picture.ts";

/** What families leave in their folder. */
export const familiesOutput = {
  name: "set of families",
  schema: "saestitch.families-run/1",
} as const satisfies OutputKind;

/** Write families.parquet, latents.parquet, pairs.parquet, families.svg and run.json, each whole or not at all; the names of all but the last. */
export async function writeFamilies(
  folder: OutputFolder,
  run: FamiliesRun,
  { report, sample }: { readonly report: FamilyReport; readonly sample: SampleRecord },
  circumstances: PairCircumstances,
): Promise<readonly string[]> {
  const files = {
    "families.parquet": familiesParquet(report),
    "latents.parquet": latentsParquet(report),
    "pairs.parquet": pairsParquet(report),
    "families.svg": familiesPicture(run, report),
  };
  const record = { schema: familiesOutput.schema, result: familiesSummary(run) };
  await writePairRun(folder, files, { ...run, sample }, record, circumstances);
  return Object.keys(files);
}

/** A row per family. */
function familiesParquet({ families, swaps }: FamilyReport): Uint8Array {
  return parquetTable(FAMILIES_SCHEMA, [
    { name: "family", type: "INT32", data: [...families.keys()] },
    { name: "smallerLatents", type: "INT32", data: families.map(({ smaller }) => smaller.length) },
    { name: "largerLatents", type: "INT32", data: families.map(({ larger }) => larger.length) },
    { name: "deltaMse", type: "DOUBLE", data: swaps.deltaMse },
    { name: "standardError", type: "DOUBLE", data: swaps.standardError },
    { name: "pValue", type: "DOUBLE", data: swaps.pValue },
    { name: "deltaL0", type: "DOUBLE", data: swaps.deltaL0 },
    { name: "effect", type: "STRING", data: swaps.effect },
  ]);
}

/** A row per latent of either SAE: the family it is in and, for the larger, what it is. */
function latentsParquet({ families, kinds, insertion }: FamilyReport): Uint8Array {
  const members = families.flatMap(({ smaller, larger }, family) => [
    ...smaller.map((latent) => ({ sae: "smaller", latent, family })),
    ...larger.map((latent) => ({ sae: "larger", latent, family })),
  ]);
  const ofLarger = <Value>(value: (latent: number) => Value) =>
    members.map(({ sae, latent }) => (sae === "larger" ? value(latent) : null));
  const parent = (kind: LatentKind) => ("parents" in kind ? kind.parents[0] : null);
  return parquetTable(FAMILIES_SCHEMA, [
    { name: "sae", type: "STRING", data: members.map(({ sae }) => sae) },
    { name: "latent", type: "INT32", data: members.map(({ latent }) => latent) },
    { name: "family", type: "INT32", data: members.map(({ family }) => family) },
    { name: "kind", type: "STRING", data: ofLarger((latent) => kinds[latent].kind) },
    { name: "verdict", type: "STRING", data: ofLarger((latent) => insertion.verdict[latent]) },
    { name: "deltaMse", type: "DOUBLE", data: ofLarger((latent) => insertion.deltaMse[latent]) },
    { name: "parent", type: "INT32", data: ofLarger((latent) => parent(kinds[latent])?.latent ?? null) },
    {
      name: "parentCosine",
      type: "DOUBLE",
      data: ofLarger((latent) => parent(kinds[latent])?.cosine ?? null),
    },
    { name: "parentShare", type: "DOUBLE", data: ofLarger((latent) => parent(kinds[latent])?.share ?? null) },
    {
      name: "parentAgreement",
      type: "DOUBLE",
      data: ofLarger((latent) => parent(kinds[latent])?.agreement ?? null),
    },
  ]);
}

/** A row per pair that joins a family. */
function pairsParquet({ edges, evidence }: FamilyReport): Uint8Array {
  return parquetTable(FAMILIES_SCHEMA, [
    { name: "smaller", type: "INT32", data: edges.map(({ smaller }) => smaller) },
    { name: "larger", type: "INT32", data: edges.map(({ larger }) => larger) },
    { name: "cosine", type: "DOUBLE", data: edges.map(({ cosine }) => cosine) },
    { name: "precision", type: "DOUBLE", data: evidence.precision },
    { name: "recall", type: "DOUBLE", data: evidence.recall },
    { name: "shareOfLarger", type: "DOUBLE", data: evidence.shareOfLarger },
    { name: "shareOfSmaller", type: "DOUBLE", data: evidence.shareOfSmaller },
    { name: "agreement", type: "DOUBLE", data: evidence.agreement },
    { name: "replacing", type: "DOUBLE", data: evidence.replacing },
  ]);
}
