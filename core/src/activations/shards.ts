import { FormatError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { ActivationShard } from "./activation-shard.ts";
import type { ActivationSource } from "./activation-source.ts";
import { openNpyShard } from "./npy-shard.ts";
import { openSafetensorsShard } from "./safetensors-shard.ts";
import { shardedSource } from "./sharded-source.ts";

/** Endings of the files beside `X.npy` that hold the ids of its rows. */
const documentEnding = ".document_ids.npy";
const tokenEnding = ".token_ids.npy";

/** How to open shards. */
export interface ShardOptions {
  /** What to call them together; the names of the first and last file by default. */
  readonly location?: string | undefined;
  /** Tensor of a safetensors file that holds the activations, where its name does not tell. */
  readonly tensor?: string | undefined;
}

/**
 * Open files of activations, in the order given, as one source: safetensors ({@link openSafetensorsShard}) or npy, where
 * `X.document_ids.npy` and `X.token_ids.npy` may stand anywhere among the files and belong to `X.npy`.
 *
 * A document is a run of equal document ids, also across files; see {@link shardedSource}. Rejects with FormatError,
 * ShapeError or UnsupportedError when a file cannot be read, or the files do not fit together.
 */
export async function openShards(
  files: readonly ByteSource[],
  { location = describeFiles(files), tensor }: ShardOptions = {},
): Promise<ActivationSource> {
  const sidecars = new Map(files.filter((file) => isSidecar(file.name)).map((file) => [file.name, file]));
  const shards: ActivationShard[] = [];
  for (const file of files) {
    if (isSidecar(file.name)) continue;
    if (file.name.endsWith(".safetensors")) {
      shards.push(await openSafetensorsShard(file, { tensor }));
    } else if (file.name.endsWith(".npy")) {
      const stem = file.name.slice(0, -".npy".length);
      const documentIds = sidecars.get(stem + documentEnding);
      const tokenIds = sidecars.get(stem + tokenEnding);
      sidecars.delete(stem + documentEnding);
      sidecars.delete(stem + tokenEnding);
      shards.push(await openNpyShard(file, { documentIds, tokenIds }));
    } else {
      throw new UnsupportedError(`Cannot read ${file.name} as activations: expected .safetensors or .npy`);
    }
  }
  const [orphan] = sidecars.keys();
  if (orphan !== undefined)
    throw new FormatError(
      `${orphan} holds the ids of rows that are not here: expected the .npy file it belongs to`,
    );
  return shardedSource(location, shards);
}

function isSidecar(name: string): boolean {
  return name.endsWith(documentEnding) || name.endsWith(tokenEnding);
}

function describeFiles(files: readonly ByteSource[]): string {
  if (files.length === 0) return "no files";
  const first = files[0].name;
  return files.length === 1 ? first : `${first} … ${files[files.length - 1].name}`;
}
