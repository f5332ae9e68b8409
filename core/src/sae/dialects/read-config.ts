import { FormatError } from "../../errors.ts";
import { describe, parseJsonObject } from "../../formats/json.ts";
import type { SaeFiles } from "./dialect.ts";

/** The keys of a config file, read with their types checked. Each getter throws {@link FormatError} naming file, key, value and wanted type. */
export interface Config {
  /** Name of the file, for messages. */
  readonly name: string;
  /** Whether the key is there and not null. */
  has(key: string): boolean;
  /** The value as it is. */
  raw(key: string): unknown;
  text(key: string): string | undefined;
  flag(key: string): boolean | undefined;
  /** A finite number. */
  number(key: string): number | undefined;
  /** An integer of at least 1. */
  count(key: string): number | undefined;
  /** As `count`, and required. */
  requiredCount(key: string): number;
  /** An object, as a config of its own; empty when the key is not there. */
  section(key: string): Config;
}

const largestConfig = 16 * 2 ** 20;

/** Read a JSON config file. Rejects with {@link FormatError} when it is too large or no JSON object. */
export async function readConfig(files: SaeFiles, fileName: string): Promise<Config> {
  const source = await files.open(fileName);
  if (source.byteLength > largestConfig)
    throw new FormatError(`${source.name} has ${source.byteLength} bytes, expected at most ${largestConfig}`);
  return configOf(parseJsonObject(await source.read(0, source.byteLength), source.name), source.name);
}

/** View a parsed JSON object as a {@link Config}; null counts as absent. */
export function configOf(object: Readonly<Record<string, unknown>>, name: string): Config {
  const raw = (key: string) => (Object.hasOwn(object, key) ? object[key] : undefined) ?? undefined;
  function get<T>(key: string, isWanted: (value: unknown) => value is T, wanted: string): T | undefined {
    const value = raw(key);
    if (value === undefined || isWanted(value)) return value;
    throw new FormatError(`${name} has ${describe(value)} under "${key}", expected ${wanted}`);
  }
  const count = (key: string) => get(key, isCount, "an integer of at least 1");
  return {
    name,
    has: (key) => raw(key) !== undefined,
    raw,
    text: (key) => get(key, (value) => typeof value === "string", "a text"),
    flag: (key) => get(key, (value) => typeof value === "boolean", "true or false"),
    number: (key) => get(key, (value): value is number => Number.isFinite(value), "a finite number"),
    count,
    requiredCount(key) {
      const value = count(key);
      if (value === undefined)
        throw new FormatError(`${name} has no "${key}", expected an integer of at least 1`);
      return value;
    },
    section: (key) => configOf(get(key, isObject, "an object") ?? {}, `"${key}" of ${name}`),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
