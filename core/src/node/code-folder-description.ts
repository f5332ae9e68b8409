import { createHash } from "node:crypto";
import { join } from "node:path";
import type { CodePrecision } from "../codes/code-file.ts";
import { DataError, FormatError } from "../errors.ts";
import { describe, parseJsonObject } from "../formats/json.ts";
import type { FileSource } from "./file-source.ts";

/** What codes are made from: hashes of SAE and activations, and whatever else changes them. */
export type CodeKey = Readonly<Record<string, string>>;

/** What the codes of a folder are of. */
export interface CodeDescription {
  readonly precision: CodePrecision;
  readonly key: CodeKey;
}

const SCHEMA = "saestitch.codes/1";

/** The folder in `root` for the codes of `key`, named by a hash of the key, in whatever order that is given. */
export function codeFolderPath(root: string, key: CodeKey): string {
  const canonical = JSON.stringify(inOrder(key));
  return join(root, createHash("sha256").update(canonical).digest("hex").slice(0, 24));
}

/** The file that says what codes are of, for people and for {@link checkDescription}. */
export function encodeDescription({ precision, key }: CodeDescription): Uint8Array {
  const text = JSON.stringify({ schema: SCHEMA, precision, key: inOrder(key) }, null, 2);
  return new TextEncoder().encode(`${text}\n`);
}

/**
 * Throw unless `file`, in the folder `path`, describes `wanted`: {@link DataError} that says what differs, {@link FormatError} when
 * the file is damaged or of another version.
 */
export async function checkDescription(
  file: FileSource,
  path: string,
  { precision, key }: CodeDescription,
): Promise<void> {
  const found = await readDescription(file);
  const differences = [
    ...describeDifference("precision", found.precision, precision),
    ...[...new Set([...Object.keys(found.key), ...Object.keys(key)])].flatMap((name) =>
      describeDifference(name, memberOf(found.key, name), memberOf(key, name)),
    ),
  ];
  if (differences.length === 0) return;
  throw new DataError(
    `${path} holds other codes than are asked for: ${differences.join("; ")}. Give another folder, or delete this one`,
  );
}

interface FoundDescription {
  readonly precision: unknown;
  readonly key: Readonly<Record<string, unknown>>;
}

async function readDescription(file: FileSource): Promise<FoundDescription> {
  const advice = "delete the folder, and its codes are made again";
  let found: Record<string, unknown>;
  try {
    found = parseJsonObject(await file.read(0, file.byteLength), file.name);
  } catch (cause) {
    throw new FormatError(`${(cause as Error).message}; ${advice}`, { cause });
  }
  const { schema, precision, key } = found;
  if (schema !== SCHEMA)
    throw new FormatError(
      `${file.name} has the schema ${describe(schema)}, expected ${describe(SCHEMA)}; ${advice}`,
    );
  if (typeof key !== "object" || key === null)
    throw new FormatError(`${file.name} has the key ${describe(key)}, expected an object; ${advice}`);
  return { precision, key: { ...key } };
}

function describeDifference(name: string, found: unknown, wanted: unknown): string[] {
  if (found === wanted) return [];
  return [
    `its ${name} is ${found === undefined ? "absent" : describe(found)}, not ${wanted === undefined ? "absent" : describe(wanted)}`,
  ];
}

/** Own members only: a name such as "constructor" is a name like any other. */
function memberOf(key: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(key, name) ? key[name] : undefined;
}

function inOrder(key: CodeKey): CodeKey {
  return Object.fromEntries(Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1)));
}
