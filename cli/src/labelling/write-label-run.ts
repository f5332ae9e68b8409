import { rm } from "node:fs/promises";
import type { HashedFile } from "../inputs/provenance.ts";
import { inputRecord } from "../inputs/sae-record.ts";
import type { OutputFolder, OutputKind } from "../output/output-folder.ts";
import { type RunRecord, writeRun } from "../output/write-run.ts";
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

/** How a labelling was made, beyond its inputs. */
export interface RunCircumstances
  extends Pick<RunRecord, "commandLine" | "options" | "kernels" | "started" | "resumedAtRow"> {
  /** Files of the activations; empty when they were made in memory. */
  readonly activationFiles: readonly HashedFile[];
}

/** Write latents.parquet, label.svg and, when those are there, run.json, each whole or not at all; then remove the checkpoint. */
export async function writeLabelRun(
  folder: OutputFolder,
  run: LabelRun,
  { activationFiles, ...circumstances }: RunCircumstances,
): Promise<void> {
  const { smaller, larger, sample } = run;
  const files = { "latents.parquet": latentsParquet(run.labels.latents), "label.svg": labelPicture(run) };
  await writeRun(folder, files, {
    ...circumstances,
    schema: labelOutput.schema,
    inputs: {
      smaller: inputRecord(smaller),
      larger: inputRecord(larger),
      activations: { location: sample.location, files: activationFiles },
    },
    result: labelSummary(run),
  });
  await rm(folder.file(labelOutput.checkpoint), { force: true });
}
