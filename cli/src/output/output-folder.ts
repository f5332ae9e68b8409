import { rmdirSync } from "node:fs";
import { access, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../failure.ts";

/** What one command leaves in a folder. */
export interface OutputKind {
  /** What a finished one is called, for people: "labelling". */
  readonly name: string;
  /** The schema in the record. */
  readonly schema: string;
  /** File with what unfinished work can go on from, where there is such a file. */
  readonly checkpoint?: string;
}

/** A folder that a command writes its results into. */
export interface OutputFolder {
  readonly path: string;
  /** Written last: a folder that has it is finished. */
  readonly record: string;
  /** Path of a file in the folder. */
  file(name: string): string;
  /** Give up the finished work that `force` replaces, once it is sure that there will be new: without its record the folder counts as unfinished. */
  begin(): Promise<void>;
}

/**
 * Make or take over the folder at `path`; one made here that is still empty when the process ends goes with it.
 *
 * Throws {@link UserError} when it holds what another command made; when it holds finished work of this kind, or unfinished work that
 * is not to be resumed, unless `force`, which gives both up.
 */
export async function openOutputFolder(
  path: string,
  kind: OutputKind,
  { force, resume = false }: { readonly force: boolean; readonly resume?: boolean },
): Promise<OutputFolder> {
  const record = join(path, "run.json");
  if (await exists(record)) {
    const found = await schemaOf(record);
    if (found !== kind.schema)
      throw new UserError(
        `${path} holds something else (${record} is ${found === undefined ? "no record of saestitch" : `a record ${found}`}, not ${kind.schema}); give another --out`,
      );
    if (!force)
      throw new UserError(
        `${path} holds a finished ${kind.name} (${record}); give another --out, or --force to replace it`,
      );
  }
  const checkpoint = kind.checkpoint === undefined ? undefined : join(path, kind.checkpoint);
  if (!force && !resume && checkpoint !== undefined && (await exists(checkpoint)))
    throw new UserError(
      `${path} holds an unfinished ${kind.name} (${checkpoint}); give --resume to go on with it, or --force to begin anew`,
    );
  if ((await mkdir(path, { recursive: true })) !== undefined) process.once("exit", () => removeIfEmpty(path));
  return {
    path,
    record,
    file: (name) => join(path, name),
    begin: () => rm(record, { force: true }),
  };
}

async function schemaOf(record: string): Promise<string | undefined> {
  try {
    const { schema } = JSON.parse(await readFile(record, "utf8"));
    return typeof schema === "string" ? schema : undefined;
  } catch {
    return undefined;
  }
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
