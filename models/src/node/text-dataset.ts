import { UnsupportedError } from "@saestitch/core";
import {
  formatHubAddress,
  type HubAddress,
  type HubFolder,
  HubNotFoundError,
  type HubOptions,
  openHubFolder,
  parseHubAddress,
} from "@saestitch/core/node";
import { type TextFile, type TextOptions, textOfFiles } from "../text/text-files.ts";
import { textKind, wantedText } from "../text/text-kind.ts";
import { chooseShards, type ShardOptions } from "../text/text-shards.ts";
import type { TextSource } from "../text/text-source.ts";

/** The branch on which the hub keeps a data set's main branch as Parquet. */
const conversion = "refs/convert/parquet";

/** What the hub's tools write beside the data. */
const descriptions = new Set(["dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"]);

/**
 * Open the texts of a data set of the hub, at `hf:datasets/owner/name/path@revision`: the file that the path names; or of the files below
 * its folder those of one configuration and split, Parquet before other kinds. For a whole data set without Parquet files the hub's own
 * conversion is read. Parquet is read over the network, in ranges, unless the cache holds the file; other kinds are downloaded.
 *
 * Rejects with {@link UnsupportedError} when there is nothing to read, or several things to choose from, and with a HubError.
 */
export async function openTextDataset(
  address: string,
  { hub = {}, config, splitName, ...options }: TextOptions & ShardOptions & { readonly hub?: HubOptions },
): Promise<TextSource> {
  const asked = parseHubAddress(address);
  const folder = await openHubFolder(address, { ...hub, kind: "dataset", recursive: true });
  if (folder.file !== undefined) {
    const location = fileAddress(folder, folder.file);
    if (config !== undefined || splitName !== undefined) {
      throw new UnsupportedError(`Cannot choose a configuration or split of ${location}: it is one file`);
    }
    return textIn(folder, [folder.file], location, options);
  }

  const found = await findShards(asked, folder, hub);
  const { location } = found.folder;
  const { paths, isPartial } = chooseShards(found.paths, { config, splitName }, location);
  if (isPartial) hub.onWarning?.(`The hub has converted only the beginning of ${location} to Parquet`);
  return textIn(found.folder, paths, location, options);
}

/** Files with text, and the folder they are in. */
interface FoundShards {
  readonly folder: HubFolder;
  readonly paths: readonly string[];
}

async function findShards(asked: HubAddress, folder: HubFolder, hub: HubOptions): Promise<FoundShards> {
  const texts = (await folder.list()).filter(
    (path) => textKind(path) !== undefined && !descriptions.has(path.slice(path.lastIndexOf("/") + 1)),
  );
  const parquet = texts.filter((path) => textKind(path)?.ending === ".parquet");
  if (parquet.length > 0) return { folder, paths: parquet };
  const converted = await openConversion(asked, hub);
  if (converted !== undefined) return converted;
  const endings = new Set(texts.map((path) => textKind(path)?.ending));
  if (endings.size === 1) return { folder, paths: texts };
  const reason =
    endings.size === 0
      ? `it has no files of text, and no conversion to Parquet (branch ${conversion})`
      : `it has files of several kinds (${[...endings].join(", ")}); name one of them, or a folder`;
  throw new UnsupportedError(`Cannot read ${folder.location} as text: ${reason}; ${wantedText}`);
}

/** The hub's conversion, which is only of whole data sets as they are on their main branch. */
async function openConversion({ kind, repo, path, revision }: HubAddress, hub: HubOptions) {
  if (path !== "" || revision !== "main") return undefined;
  const address = formatHubAddress({ kind, repo, path, revision: conversion });
  try {
    const folder = await openHubFolder(address, { ...hub, kind: "dataset", recursive: true });
    const paths = (await folder.list()).filter((name) => textKind(name)?.ending === ".parquet");
    return paths.length === 0 ? undefined : { folder, paths };
  } catch (error) {
    if (error instanceof HubNotFoundError) return undefined;
    throw error;
  }
}

function textIn(
  folder: HubFolder,
  paths: readonly string[],
  location: string,
  options: TextOptions,
): TextSource {
  const files = paths.map((path): TextFile => {
    const isParquet = textKind(path)?.ending === ".parquet";
    return { name: path, open: () => (isParquet ? folder.openRemote(path) : folder.open(path)) };
  });
  const text = textOfFiles(files, { location, ...options });
  return {
    ...text,
    async close() {
      await text.close();
      await folder.close();
    },
  };
}

function fileAddress(folder: HubFolder, name: string): string {
  const { path, ...rest } = parseHubAddress(folder.location);
  return formatHubAddress({ ...rest, path: path === "" ? name : `${path}/${name}` });
}
