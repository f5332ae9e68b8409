import { FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { describe, parseJsonObject } from "../formats/json.ts";
import type { ActivationSource } from "./activation-source.ts";
import { type ArrowShard, openArrowShard } from "./arrow-shard.ts";
import { shardedSource } from "./sharded-source.ts";

/** How to open an Arrow cache. */
export interface ArrowCacheOptions {
  /** What to call the files together; the name of the first by default. */
  readonly location?: string | undefined;
  /** Column of the activations; by default the only one of lists of lists of floats. */
  readonly column?: string | undefined;
}

/**
 * Open the Arrow files that SAELens' CacheActivationsRunner writes, in the order given, as one source. Its rows are the
 * positions of all records; each record is a document, numbered through the files.
 *
 * Rejects with FormatError, ShapeError or UnsupportedError when a file cannot be read, or the files do not fit together.
 */
export async function openArrowCache(
  files: readonly ByteSource[],
  { location = files[0]?.name ?? "no files", column }: ArrowCacheOptions = {},
): Promise<ActivationSource> {
  const shards: ArrowShard[] = [];
  for (const file of files) shards.push(await openArrowShard(file, { column: column ?? shards[0]?.column }));
  return shardedSource(location, shards);
}

/**
 * The names of the data files that a cache's `state.json` lists, in order. Throws {@link FormatError} when it lists none,
 * or anything but plain file names.
 */
export function arrowCacheFiles(stateJson: Uint8Array, name: string): string[] {
  const { _data_files: entries } = parseJsonObject(stateJson, name);
  if (!Array.isArray(entries) || entries.length === 0)
    throw new FormatError(`${name} has the _data_files ${describe(entries)}, expected a list of files`);
  return entries.map((entry: unknown) => {
    const filename =
      typeof entry === "object" && entry !== null && "filename" in entry ? entry.filename : entry;
    // Anything else could lead out of the folder.
    if (typeof filename === "string" && /^[^/\\:]+\.arrow$/.test(filename)) return filename;
    throw new FormatError(
      `${name} lists the data file ${describe(filename)}, expected a plain name ending in .arrow`,
    );
  });
}
