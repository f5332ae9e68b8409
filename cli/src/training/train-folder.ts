import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../failure.ts";
import { type OutputFolder, type OutputKind, openOutputFolder } from "../output/output-folder.ts";

/** What a training leaves in its folder. */
export const trainOutput = {
  name: "training",
  schema: "saestitch.train-run/1",
  checkpoint: "checkpoint.safetensors",
} as const satisfies OutputKind;

/** The schema of training.json, which tells the folder of an SAE that `train` wrote. */
export const TRAINING_SCHEMA = "saestitch.training/1";

/** The other files of a training. */
export const LOG = "log.jsonl";
export const PICTURE = "train.svg";
export const RECORD = "training.json";

/** What a process that was killed leaves of a file, or of the folder of an SAE. */
const HALF_WRITTEN = /\.[0-9a-f-]{36}\.tmp$/;

/**
 * Make or take over the folder of a training, as {@link openOutputFolder} does, and remove what was being written when an earlier process was killed. Throws {@link UserError} also when it holds
 * anything that is not of a training, which `force` does not change.
 */
export async function openTrainFolder(
  path: string,
  options: { readonly force: boolean; readonly resume: boolean },
): Promise<OutputFolder> {
  const folder = await openOutputFolder(path, trainOutput, options);
  const own = ["run.json", trainOutput.checkpoint, LOG, PICTURE, ...(await trainedSaes(path))];
  const names = await readdir(path);
  const foreign = names.filter((name) => !own.includes(name) && !HALF_WRITTEN.test(name));
  if (foreign.length > 0)
    throw new UserError(
      `${path} holds something else (${foreign.slice(0, 3).join(", ")}${foreign.length > 3 ? ", …" : ""}); give another --out`,
    );
  for (const name of names.filter((name) => HALF_WRITTEN.test(name)))
    await rm(join(path, name), { recursive: true });
  return folder;
}

/** Remove the SAEs of an earlier training from its folder, but for those of the names to `keep`. */
export async function removeOtherSaes(path: string, keep: readonly string[]): Promise<void> {
  for (const name of await trainedSaes(path))
    if (!keep.includes(name)) await rm(join(path, name), { recursive: true });
}

/** Names of the folders that hold an SAE that `train` wrote. */
async function trainedSaes(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const own = await Promise.all(names.map((name) => isTrainedSae(join(path, name))));
  return names.filter((_, i) => own[i]);
}

async function isTrainedSae(folder: string): Promise<boolean> {
  try {
    return JSON.parse(await readFile(join(folder, RECORD), "utf8")).schema === TRAINING_SCHEMA;
  } catch {
    return false;
  }
}
