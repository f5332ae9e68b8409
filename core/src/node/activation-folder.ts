import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ActivationSource } from "../activations/activation-source.ts";
import { arrowCacheFiles, openArrowCache } from "../activations/arrow-cache.ts";
import { openShards } from "../activations/shards.ts";
import { FormatError } from "../errors.ts";
import { FilePool } from "./file-pool.ts";
import { tryToOpen } from "./try-to-open.ts";

/** Activations on disk, open until closed. */
export interface OpenActivations extends ActivationSource {
  /** Paths of the files that are read. */
  readonly files: readonly string[];
  /** Close the files; reading rejects from then on. */
  close(): Promise<void>;
}

const endings = [".safetensors", ".npy", ".arrow"] as const;
const wanted = "expected .safetensors or .npy shards, or an Arrow cache (.arrow files, with state.json)";

/**
 * Open recorded activations: a file (.safetensors, .npy, .arrow) or a folder of files of one kind, sorted by name with
 * numbers in natural order, or in the order of `state.json` for the Arrow cache that SAELens writes. Subfolders are not
 * looked into. `column` names the tensor or column that holds the activations, where it is not plain.
 *
 * Rejects with {@link FormatError}, saying what was found, when there are no activations at `path`; as
 * {@link openShards} and {@link openArrowCache} for their files.
 */
export async function openActivations(
  path: string,
  { column }: { readonly column?: string | undefined } = {},
): Promise<OpenActivations> {
  const { kind, files } = await findFiles(path);
  const pool = new FilePool();
  try {
    const sources = [];
    for (const file of files) sources.push(await pool.source(file));
    const source =
      kind === ".arrow"
        ? await openArrowCache(sources, { location: path, column })
        : await openShards(sources, { location: path, tensor: column });
    return { ...source, files, close: () => pool.close() };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

interface FoundFiles {
  readonly kind: (typeof endings)[number];
  readonly files: readonly string[];
}

async function findFiles(path: string): Promise<FoundFiles> {
  const found = await tryToOpen(path, () => stat(path));
  if (found.isDirectory()) return await findInFolder(path);
  const kind = endings.find((ending) => path.endsWith(ending));
  if (kind === undefined) throw new FormatError(`Cannot read ${path} as activations: ${wanted}`);
  const files = [path];
  if (kind === ".npy") {
    const stem = path.slice(0, -".npy".length);
    for (const sidecar of [`${stem}.document_ids.npy`, `${stem}.token_ids.npy`]) {
      if (
        await stat(sidecar).then(
          (entry) => entry.isFile(),
          () => false,
        )
      )
        files.push(sidecar);
    }
  }
  return { kind, files };
}

async function findInFolder(path: string): Promise<FoundFiles> {
  const entries = await tryToOpen(path, () => readdir(path, { withFileTypes: true }));
  const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  if (names.includes("cfg.json")) {
    throw new FormatError(`${path} holds a sparse autoencoder (it has cfg.json), not activations: ${wanted}`);
  }
  if (names.includes("state.json")) {
    const state = join(path, "state.json");
    const bytes = await tryToOpen(state, () => readFile(state));
    return { kind: ".arrow", files: arrowCacheFiles(bytes, state).map((name) => join(path, name)) };
  }
  const kinds = endings.filter((ending) => names.some((name) => name.endsWith(ending)));
  if (kinds.length === 1) {
    const files = names.filter((name) => name.endsWith(kinds[0])).sort(naturalOrder.compare);
    return { kind: kinds[0], files: files.map((name) => join(path, name)) };
  }
  const seen = entries
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort(naturalOrder.compare);
  const shown = seen.slice(0, 10).join(", ") + (seen.length > 10 ? ` and ${seen.length - 10} more` : "");
  throw new FormatError(
    `${path} holds ${kinds.length === 0 ? "no activations" : `files of several kinds (${kinds.join(", ")})`}: ${wanted}, found ${shown || "nothing"}`,
  );
}

/** `shard-2` before `shard-10`. */
const naturalOrder = new Intl.Collator("en", { numeric: true });
