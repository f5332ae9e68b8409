import { access, mkdir, rm, rmdir } from "node:fs/promises";
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
  /** Remove the folder again if this run made it and nothing came to lie in it. */
  abandon(): Promise<void>;
}

/**
 * Make or take over the folder at `path`. Throws {@link UserError} when a finished labelling is in it, or a checkpoint of an
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
  // Without its record the folder counts as unfinished from here on.
  await rm(record, { force: true });
  const made = (await mkdir(path, { recursive: true })) !== undefined;
  return {
    path,
    latents: join(path, "latents.parquet"),
    picture: join(path, "label.svg"),
    record,
    checkpoint,
    // A folder that is not empty stays, which is what rmdir's refusal means.
    abandon: () => (made ? rmdir(path).catch(() => {}) : Promise.resolve()),
  };
}

/** Whether there is something at `path`. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
