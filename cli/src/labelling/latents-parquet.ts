import type { LatentColumns } from "@saestitch/core";
import type { BasicType } from "hyparquet-writer";
import { parquetTable } from "../output/parquet-table.ts";
import { LABEL_SCHEMA, latentArrays } from "./label-document.ts";

const types: Readonly<Record<keyof LatentColumns, BasicType>> = {
  verdict: "STRING",
  deltaMse: "DOUBLE",
  standardError: "DOUBLE",
  pValue: "DOUBLE",
  scale: "DOUBLE",
  density: "DOUBLE",
  cosine: "FLOAT",
  match: "INT32",
  agreement: "DOUBLE",
  matchPrecision: "DOUBLE",
  matchRecall: "DOUBLE",
};

/** The latents as a Parquet file: a row per latent, its index first; null where a number is not defined. */
export function latentsParquet(latents: LatentColumns): Uint8Array {
  const columns = Object.entries(latentArrays(latents)).map(([name, data]) => ({
    name,
    type: types[name as keyof LatentColumns],
    data,
  }));
  return parquetTable(LABEL_SCHEMA, [
    { name: "latent", type: "INT32", data: Int32Array.from(latents.match.keys()) },
    ...columns,
  ]);
}
