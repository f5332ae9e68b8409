import { rm } from "node:fs/promises";
import { type Sae, saeWriters, trainedSae } from "@saestitch/core";
import { openFile } from "@saestitch/core/node";
import { hashSource } from "../inputs/hash-source.ts";
import type { HashedFile } from "../inputs/provenance.ts";
import { inputRecord } from "../inputs/sae-record.ts";
import type { OutputFolder } from "../output/output-folder.ts";
import { replaceFolder } from "../output/replace-folder.ts";
import { type RunRecord, writeRun } from "../output/write-run.ts";
import { saestitchVersion } from "../version.ts";
import { trainDocument, trainedRecords, trainingCommon } from "./train-document.ts";
import { LOG, PICTURE, RECORD, removeOtherSaes, TRAINING_SCHEMA, trainOutput } from "./train-folder.ts";
import { trainPicture } from "./train-picture.ts";
import { saeFolders, type TrainRun } from "./train-run.ts";

/** The layout SAEs are written in: SAELens, release 6. */
const [writer] = saeWriters;

/** How a training came about, beyond its inputs. */
export type TrainCircumstances = Pick<
  RunRecord,
  "commandLine" | "options" | "kernels" | "started" | "resumedAtStep"
>;

/**
 * Write a folder for each SAE, then train.svg and, when all is there, run.json, each whole or not at all; then remove the checkpoint,
 * and the SAEs of an earlier training.
 */
export async function writeTraining(
  folder: OutputFolder,
  run: TrainRun,
  circumstances: TrainCircumstances,
): Promise<void> {
  const written: HashedFile[] = [await hashFile(folder, LOG)];
  const names = saeFolders(run.run);
  for (const [i, name] of names.entries()) {
    const files = writer.write(originated(trainedSae(run.run, i), run));
    await replaceFolder(folder.file(name), {
      ...Object.fromEntries(files.map(({ name, chunks }) => [name, chunks])),
      [RECORD]: [new TextEncoder().encode(trainingRecord(run, i, circumstances))],
    });
    for (const file of [...files.map(({ name }) => name), RECORD])
      written.push(await hashFile(folder, `${name}/${file}`));
  }
  await removeOtherSaes(folder.path, names);
  await writeRun(
    folder,
    { [PICTURE]: trainPicture(run) },
    {
      ...circumstances,
      schema: trainOutput.schema,
      inputs: inputsOf(run),
      written,
      result: trainDocument(run),
    },
  );
  await rm(folder.file(trainOutput.checkpoint), { force: true });
}

/** The record of one SAE: what it is, and how it came about. */
function trainingRecord(
  run: TrainRun,
  i: number,
  { commandLine, kernels, started, resumedAtStep }: TrainCircumstances,
): string {
  const record = {
    schema: TRAINING_SCHEMA,
    ...trainingCommon(run),
    sae: trainedRecords(run)[i],
    recipe: {
      command: ["saestitch", ...commandLine],
      versions: { saestitch: saestitchVersion, node: process.version, kernels },
      started: started.toISOString(),
      finished: new Date().toISOString(),
      resumedAtStep,
      inputs: inputsOf(run),
    },
  };
  return `${JSON.stringify(record, null, 1)}\n`;
}

function inputsOf({ sample, activationFiles, residualOf }: TrainRun): RunRecord["inputs"] {
  return {
    activations: { location: sample.location, files: activationFiles },
    ...(residualOf !== null && { residualOf: inputRecord(residualOf) }),
  };
}

/** The SAE with what a reader of its files must know of it. */
function originated(sae: Sae, { place, residualOf }: TrainRun): Sae {
  return {
    ...sae,
    origin: {
      ...sae.origin,
      ...place,
      ...(residualOf !== null && {
        warnings: [`It reads not activations but what ${residualOf.location} leaves unexplained of them.`],
      }),
    },
  };
}

async function hashFile(folder: OutputFolder, name: string): Promise<HashedFile> {
  const file = await openFile(folder.file(name));
  try {
    return { name, bytes: file.byteLength, sha256: await hashSource(file) };
  } finally {
    await file.close();
  }
}
