import { rmdirSync } from "node:fs";
import { access, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../failure.ts";

/** The files of a finished or unfinished labelling in one folder. */
export interface OutputFolder {
  readonly path: string;
  readonly latents: string;
  readonly picture: string;
  /** Written last: a folder that has it is finished. */
  readonly record: string;
  readonly checkpoint: string;
  /** Give up the finished labelling that `force` replaces, once it is sure that there will be work: without its record the folder counts as unfinished. */
  begin(): Promise<void>;
}

/**
 * Make or take over the folder at `path`; one made here that is still empty when the process ends goes with it. Throws {@link UserError} when a finished labelling is in it, or a checkpoint of an
 * unfinished one that is not to be resumed; unless `force`, which gives both up.
 */
export async function openOutputFolder(
  path: string,
  { force, resume }: { readonly force: boolean; readonly resume: boolean },
): Promise<OutputFolder> {
  const record = join(path, "run.json");
  const checkpoint = join(path, "label.checkpoint.safetensors");
  if (!force && (await exists(record)))
    throw new UserError(
      `${path} holds a finished labelling (${record}); give another --out, or --force to replace it`,
    );
  if (!force && !resume && (await exists(checkpoint)))
    throw new UserError(
      `${path} holds an unfinished labelling (${checkpoint}); give --resume to go on with it, or --force to begin anew`,
    );
  if ((await mkdir(path, { recursive: true })) !== undefined) process.once("exit", () => removeIfEmpty(path));
  return {
    path,
    latents: join(path, "latents.parquet"),
    picture: join(path, "label.svg"),
    record,
    checkpoint,
    begin: () => rm(record, { force: true }),
  };
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Its refusal means that there is something in it, which stays.
  }
}

/** Whether there is something at `path`. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
