import { strongestParts } from "@saestitch/core";
import { parquetTable } from "../output/parquet-table.ts";
import { META_SCHEMA } from "./meta-document.ts";
import { metaLatents } from "./meta-latents.ts";
import type { MetaRun } from "./meta-run.ts";

/** A row per active meta-latent of each latent: by latent, strongest first. */
export function decompositionParquet({ code, larger }: MetaRun): Uint8Array {
  const entries = Array.from(larger.unit.latents, (latent, i) =>
    strongestParts(code, i).map((part) => ({ latent, ...part })),
  ).flat();
  return parquetTable(META_SCHEMA, [
    { name: "latent", type: "INT32", data: entries.map(({ latent }) => latent) },
    { name: "metaLatent", type: "INT32", data: entries.map(({ index }) => index) },
    { name: "strength", type: "FLOAT", data: entries.map(({ strength }) => strength) },
  ]);
}

/** A row per meta-latent; columns of the smaller SAE only where it was compared with one. */
export function metaLatentsParquet(run: MetaRun): Uint8Array {
  const rows = metaLatents(run);
  const smaller = rows.flatMap(({ nearestSmaller }) => nearestSmaller ?? []);
  return parquetTable(META_SCHEMA, [
    { name: "metaLatent", type: "INT32", data: [...rows.keys()] },
    { name: "latents", type: "INT32", data: rows.map(({ latents }) => latents) },
    { name: "meanStrength", type: "DOUBLE", data: rows.map(({ meanStrength }) => meanStrength) },
    { name: "topLatents", type: "STRING", data: rows.map(({ topLatents }) => topLatents.join(",")) },
    { name: "nearestLarger", type: "INT32", data: rows.map(({ nearestLarger }) => nearestLarger.latent) },
    {
      name: "nearestLargerCosine",
      type: "FLOAT",
      data: rows.map(({ nearestLarger }) => nearestLarger.cosine),
    },
    ...(run.comparison === null
      ? []
      : [
          { name: "nearestSmaller", type: "INT32" as const, data: smaller.map(({ latent }) => latent) },
          {
            name: "nearestSmallerCosine",
            type: "FLOAT" as const,
            data: smaller.map(({ cosine }) => cosine),
          },
        ]),
  ]);
}
