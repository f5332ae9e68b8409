import { type Config, configOf, describeValue, FormatError, parseJsonObject } from "@saestitch/core";
import {
  type CaptureChecksum,
  type CapturedShard,
  type CaptureManifest,
  captureSchema,
  type NamedHash,
} from "./capture-manifest.ts";

/** Parse a `capture.json`. Throws {@link FormatError} naming file, key and value when it is not one. */
export function parseCaptureManifest(bytes: Uint8Array, name: string): CaptureManifest {
  const config = configOf(parseJsonObject(bytes, name), name);
  if (config.raw("schema") !== captureSchema)
    throw new FormatError(
      `${name} has the schema ${describeValue(config.raw("schema"))}, expected ${describeValue(captureSchema)}`,
    );
  return {
    schema: captureSchema,
    model: locatedHash(config, "model"),
    hook: config.text("hook") ?? null,
    tensor: text(config, "tensor"),
    d: config.requiredCount("d"),
    dtype: oneOf(config, "dtype", ["float16", "bfloat16", "float32"]),
    processing: { centred: flag(config.section("processing"), "centred") },
    context: config.requiredCount("context"),
    bos: flag(config, "bos"),
    arrangement: oneOf(config, "arrangement", ["documents", "packed"]),
    rest: oneOf(config, "rest", ["continue", "drop"]),
    limit: config.count("limit") ?? null,
    tokenizer: locatedHash(config, "tokenizer"),
    text: {
      location: text(config.section("text"), "location"),
      files: sections(config.section("text"), "files").map(namedHash),
    },
    batchTokens: config.requiredCount("batchTokens"),
    lookAhead: config.requiredCount("lookAhead"),
    shardRows: config.requiredCount("shardRows"),
    engine: text(config, "engine"),
    tokens: size(config, "tokens"),
    documents: size(config, "documents"),
    excluded: size(config, "excluded"),
    bytesPerToken: number(config, "bytesPerToken"),
    complete: flag(config, "complete"),
    shards: sections(config, "shards").map(shard),
    checksum: checksum(config.section("checksum")),
  };
}

function shard(config: Config): CapturedShard {
  return {
    ...namedHash(config),
    bytes: size(config, "bytes"),
    rows: size(config, "rows"),
    windows: size(config, "windows"),
    lastDocument: size(config, "lastDocument"),
  };
}

function checksum(config: Config): CaptureChecksum {
  const isIds = (value: unknown) =>
    isListOf(value, (id) => Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 31);
  const windows = list(config, "windows", isIds, "lists of token ids") as number[][];
  const norms = list(config, "norms", Number.isFinite, "numbers") as number[];
  const projections = list(config, "projections", Number.isFinite, "numbers") as number[];
  const rows = windows.reduce((sum, { length }) => sum + length, 0);
  if (norms.length !== projections.length || norms.length > rows)
    throw new FormatError(
      `${config.name} has ${norms.length} norms and ${projections.length} projections for ${rows} tokens, expected as many of both, and at most that many`,
    );
  return { windows, seed: number(config, "seed"), norms, projections };
}

function locatedHash(config: Config, key: string) {
  const section = config.section(key);
  return { location: text(section, "location"), sha256: text(section, "sha256") };
}

const namedHash = (config: Config): NamedHash => ({
  name: text(config, "name"),
  sha256: text(config, "sha256"),
});

const text = (config: Config, key: string) => config.text(key) ?? missing(config, key, "a text");
const flag = (config: Config, key: string) => config.flag(key) ?? missing(config, key, "true or false");
const number = (config: Config, key: string) => config.number(key) ?? missing(config, key, "a number");

function size(config: Config, key: string): number {
  const value = number(config, key);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new FormatError(`${config.name} has ${value} under "${key}", expected an integer of at least 0`);
}

function missing(config: Config, key: string, wanted: string): never {
  throw new FormatError(`${config.name} has no "${key}", expected ${wanted}`);
}

function oneOf<Name extends string>(config: Config, key: string, names: readonly Name[]): Name {
  const value = text(config, key);
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new FormatError(
    `${config.name} has ${describeValue(value)} under "${key}", expected one of ${names.join(", ")}`,
  );
}

const isListOf = (value: unknown, isMember: (member: unknown) => boolean) =>
  Array.isArray(value) && value.every(isMember);

function list(
  config: Config,
  key: string,
  isMember: (member: unknown) => boolean,
  wanted: string,
): unknown[] {
  const value = config.raw(key);
  if (isListOf(value, isMember)) return value as unknown[];
  throw new FormatError(
    `${config.name} has ${describeValue(value)} under "${key}", expected a list of ${wanted}`,
  );
}

function sections(config: Config, key: string): Config[] {
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  return list(config, key, isObject, "objects").map((member, i) =>
    configOf(member as Record<string, unknown>, `member ${i} of "${key}" of ${config.name}`),
  );
}
