import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describeNames, FormatError, UnsupportedError } from "@saestitch/core";
import { type HubOptions, type HubProgress, openFile, tryToOpen } from "@saestitch/core/node";
import { type TextOptions, textOfFiles } from "../text/text-files.ts";
import { textKind, wantedText } from "../text/text-kind.ts";
import { naturalOrder, type ShardOptions } from "../text/text-shards.ts";
import type { TextSource } from "../text/text-source.ts";
import { openTextDataset } from "./text-dataset.ts";

/** What of a text is read, and how the hub is reached. */
export interface OpenTextOptions extends TextOptions, ShardOptions {
  /** Called while a file is downloaded. */
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
  readonly hub?: HubOptions | undefined;
}

/**
 * Open text at `address`: a file (.txt, .jsonl, .ndjson, .json, each also as .gz, or .parquet), a folder of files of one kind, sorted by
 * name with numbers in natural order, or a data set of the hub, `hf:datasets/owner/name/path@revision` (see {@link openTextDataset}). Only
 * what `documents()` is asked for is read.
 *
 * Rejects with {@link FormatError} when there is no text at a path, with {@link UnsupportedError} for an option that does not apply, and as
 * openTextDataset.
 */
export async function openText(
  address: string,
  { onProgress, hub = {}, config, splitName, ...options }: OpenTextOptions = {},
): Promise<TextSource> {
  if (address.startsWith("hf:")) {
    const withProgress = onProgress === undefined ? hub : { ...hub, onProgress };
    return openTextDataset(address, { hub: withProgress, config, splitName, ...options });
  }
  if (config !== undefined || splitName !== undefined) {
    throw new UnsupportedError(
      `Cannot choose a configuration or split of ${address}: only data sets of the hub have them`,
    );
  }
  const paths = await findFiles(address);
  const files = paths.map((path) => ({ name: path, open: () => openFile(path) }));
  return textOfFiles(files, { location: address, paths, ...options });
}

async function findFiles(path: string): Promise<readonly string[]> {
  const found = await tryToOpen(path, () => stat(path));
  if (!found.isDirectory()) return [path];
  const entries = await tryToOpen(path, () => readdir(path, { withFileTypes: true }));
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const texts = names.filter((name) => textKind(name) !== undefined).sort(naturalOrder.compare);
  const endings = new Set(texts.map((name) => textKind(name)?.ending));
  if (endings.size === 1) return texts.map((name) => join(path, name));
  const held = endings.size === 0 ? "no text" : `files of several kinds (${[...endings].join(", ")})`;
  const seen = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
  throw new FormatError(
    `${path} holds ${held}: ${wantedText}, found ${describeNames(seen.sort(naturalOrder.compare))}`,
  );
}
