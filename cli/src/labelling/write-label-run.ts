import { rm } from "node:fs/promises";
import type { OutputFolder, OutputKind } from "../output/output-folder.ts";
import { type PairCircumstances, writePairRun } from "../output/write-pair-run.ts";
import { labelSummary } from "./label-document.ts";
import { labelPicture } from "./label-picture.ts";
import type { LabelRun } from "./label-run.ts";
import { latentsParquet } from "./latents-parquet.ts";

/** What a labelling leaves in its folder. */
export const labelOutput = {
  name: "labelling",
  schema: "saestitch.run/1",
  checkpoint: "label.checkpoint.safetensors",
} as const satisfies OutputKind;

/** Write latents.parquet, label.svg and, when those are there, run.json, each whole or not at all; then remove the checkpoint. */
export async function writeLabelRun(
  folder: OutputFolder,
  run: LabelRun,
  circumstances: PairCircumstances,
): Promise<void> {
  const files = { "latents.parquet": latentsParquet(run.labels.latents), "label.svg": labelPicture(run) };
  const record = { schema: labelOutput.schema, result: labelSummary(run) };
  await writePairRun(folder, files, run, record, circumstances);
  await rm(folder.file(labelOutput.checkpoint), { force: true });
}
