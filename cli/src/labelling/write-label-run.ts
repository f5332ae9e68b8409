import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { writeAtomically } from "@saestitch/core/node";
import type { HashedFile } from "../inputs/provenance.ts";
import { saestitchVersion } from "../version.ts";
import { labelSummary } from "./label-document.ts";
import { labelPicture } from "./label-picture.ts";
import type { LabelRun } from "./label-run.ts";
import { latentsParquet } from "./latents-parquet.ts";
import type { OutputFolder } from "./output-folder.ts";

/** Version of run.json; docs/label-output.md describes every field. */
export const RUN_SCHEMA = "saestitch.run/1";

/** How a labelling was made, beyond its inputs. */
export interface RunCircumstances {
  /** The words after the program's name. */
  readonly commandLine: readonly string[];
  /** Every option with its value, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Files of the activations; empty when they were made in memory. */
  readonly activationFiles: readonly HashedFile[];
  /** Name of the kernels that computed. */
  readonly kernels: string;
  readonly started: Date;
  /** Row of the sample at which this run went on from a checkpoint, 0 when it began anew. */
  readonly resumedAtRow: number;
}

/** Write latents.parquet, label.svg and, when those are there, run.json, each whole or not at all; then remove the checkpoint. */
export async function writeLabelRun(
  folder: OutputFolder,
  run: LabelRun,
  circumstances: RunCircumstances,
): Promise<void> {
  const latents = latentsParquet(run.labels.latents);
  const picture = new TextEncoder().encode(labelPicture(run));
  await writeAtomically(folder.latents, [latents]);
  await writeAtomically(folder.picture, [picture]);
  const record = {
    schema: RUN_SCHEMA,
    command: ["saestitch", ...circumstances.commandLine],
    started: circumstances.started.toISOString(),
    finished: new Date().toISOString(),
    resumedAtRow: circumstances.resumedAtRow,
    versions: { saestitch: saestitchVersion, node: process.version, kernels: circumstances.kernels },
    platform: `${process.platform} ${process.arch}`,
    options: circumstances.options,
    inputs: {
      smaller: { location: run.smaller.location, hash: run.smaller.hash, files: run.smaller.files },
      larger: { location: run.larger.location, hash: run.larger.hash, files: run.larger.files },
      activations: { location: run.sample.location, files: circumstances.activationFiles },
    },
    outputs: [
      { name: "latents.parquet", bytes: latents.length, sha256: sha256(latents) },
      { name: "label.svg", bytes: picture.length, sha256: sha256(picture) },
    ],
    result: labelSummary(run),
  };
  await writeAtomically(folder.record, [new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`)]);
  await rm(folder.checkpoint, { force: true });
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
