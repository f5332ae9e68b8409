import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "@saestitch/core/node";
import { UserError } from "../failure.ts";

/** Files to be written, by their names. */
export type FolderContent = Readonly<Record<string, Iterable<Uint8Array> | AsyncIterable<Uint8Array>>>;

/**
 * Throw {@link UserError} unless the folder at `path` may be written: it is not there, it is empty, or it holds earlier work of the
 * same kind, told by a `record` with this `schema`, and `force` says to replace that.
 */
export async function checkReplaceable(
  path: string,
  { record, schema, force }: { readonly record: string; readonly schema: string; readonly force: boolean },
): Promise<void> {
  const names = await entriesOf(path);
  if (names.length === 0) return;
  const isOurs = names.includes(record) && (await hasSchema(join(path, record), schema));
  if (!isOurs)
    throw new UserError(
      `${path} holds something else (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}); give another folder`,
    );
  if (!force)
    throw new UserError(
      `${path} holds an earlier result (${join(path, record)}); give another folder, or --force to replace it`,
    );
}

/** Put a folder with these files at `path`, in place of what is there: all of them or, on any failure, none. */
export async function replaceFolder(path: string, content: FolderContent): Promise<void> {
  const temporary = `${path.replace(/\/+$/, "")}.${randomUUID()}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    for (const [name, chunks] of Object.entries(content))
      await writeAtomically(join(temporary, name), chunks);
    await rm(path, { recursive: true, force: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

async function entriesOf(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function hasSchema(file: string, schema: string): Promise<boolean> {
  try {
    return JSON.parse(await readFile(file, "utf8")).schema === schema;
  } catch {
    return false;
  }
}
