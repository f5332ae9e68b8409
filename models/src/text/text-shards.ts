import { describeNames, nearestNames, UnsupportedError } from "@saestitch/core";

/** Which part of a data set is read. */
export interface ShardOptions {
  /** A variant of the data set; by default "default", or the only one there is. */
  readonly config?: string | undefined;
  /** By default "train", or the only one there is. */
  readonly splitName?: string | undefined;
}

/** A file of a data set, and what its path says about it. */
interface Shard {
  readonly path: string;
  readonly config: string;
  /** Absent where the path names none. */
  readonly splitName: string | undefined;
  /** Whether the hub has converted only the beginning of the split. */
  readonly isPartial: boolean;
}

/** Splits by the words that stand for them in the names of files and folders. */
const splitWords: Readonly<Record<string, string>> = {
  train: "train",
  training: "train",
  validation: "validation",
  valid: "validation",
  val: "validation",
  dev: "validation",
  test: "test",
  testing: "test",
  eval: "test",
  evaluation: "test",
};

/** Names of files that say nothing about their split. */
const plainWords = new Set(["part", "data", "shard", "chunk", "file"]);

/**
 * The files of one configuration and one split out of the paths of a data set, in natural order, and whether they are only the beginning
 * of it. What a file is of is read from its path as the hub does: `<config>/<split>-00000-of-00002`, `<config>/<split>/0000`, or one of the
 * usual words for a split anywhere in it. Files that name no split are all of one.
 *
 * Throws {@link UnsupportedError}, naming what there is, when there are several to choose from or none of the wanted name.
 */
export function chooseShards(
  paths: readonly string[],
  { config, splitName }: ShardOptions,
  location: string,
): { readonly paths: readonly string[]; readonly isPartial: boolean } {
  const shards = paths.map(readPath);
  const configs = distinct(shards.map((shard) => shard.config));
  const ofConfig = choose("configuration", "--dataset-config", config, configs, "default", location);
  const inConfig = shards.filter((shard) => shard.config === ofConfig);
  const named = inConfig.filter((shard) => shard.splitName !== undefined);
  const splits = named.length === 0 ? ["train"] : distinct(named.map((shard) => shard.splitName!));
  const ofSplit = choose("split", "--dataset-split", splitName, splits, "train", location);
  const chosen = named.length === 0 ? inConfig : named.filter((shard) => shard.splitName === ofSplit);
  return {
    paths: chosen.map(({ path }) => path).sort(naturalOrder.compare),
    isPartial: chosen.some(({ isPartial }) => isPartial),
  };
}

/** Order of names in which `shard-2` stands before `shard-10`. */
export const naturalOrder = new Intl.Collator("en", { numeric: true });

function readPath(path: string): Shard {
  const parts = path.split("/");
  const stem = parts.pop()!.replace(/\.[^.]*(?:\.gz)?$/i, "");
  // What the hub's own tools call the folder of all data is no name of a configuration.
  const folders = parts.filter((folder) => folder !== "data");
  const of = (splitName: string | undefined, rest: readonly string[], isPartial = false): Shard => ({
    path,
    config: rest[0] ?? "default",
    splitName,
    isPartial,
  });

  const converted = /^(partial-)?(.+)$/.exec(folders[1] ?? "");
  if (folders.length === 2 && converted !== null && /^\d+$/.test(stem)) {
    return of(converted[2], folders.slice(0, 1), converted[1] !== undefined);
  }
  const numbered = /^(\w+(?:\.\w+)*)-\d{5}-of-\d{5}/.exec(stem)?.[1];
  if (numbered !== undefined && !plainWords.has(numbered))
    return of(splitOfName(numbered) ?? numbered, folders);
  const named = splitOfName(stem);
  if (named !== undefined) return of(named, folders);
  const at = folders.findLastIndex((folder) => splitOfName(folder) !== undefined);
  if (at >= 0) return of(splitOfName(folders[at]), folders.toSpliced(at, 1));
  return of(undefined, folders);
}

/** The split that a name has a word for, between anything but letters. */
function splitOfName(name: string): string | undefined {
  for (const word of name.toLowerCase().split(/[^a-z]+/)) {
    if (Object.hasOwn(splitWords, word)) return splitWords[word];
  }
  return undefined;
}

function choose(
  what: string,
  option: string,
  wanted: string | undefined,
  names: readonly string[],
  usual: string,
  location: string,
): string {
  const chosen = wanted ?? (names.length === 1 ? names[0] : usual);
  if (names.includes(chosen)) return chosen;
  const sorted = new Set([...nearestNames(chosen, names, names.length), ...names]);
  const there = `its ${what}s are: ${describeNames(sorted)}`;
  if (wanted !== undefined) {
    throw new UnsupportedError(`${location} has no ${what} ${JSON.stringify(wanted)}; ${there}`);
  }
  throw new UnsupportedError(
    `Cannot tell which ${what} of ${location} to read: ${there}; choose one (${option}), or name its folder`,
  );
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)].sort(naturalOrder.compare);
}
