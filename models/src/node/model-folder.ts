import { readdir, realpath } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import {
  formatHubAddress,
  HubNotFoundError,
  type HubOptions,
  openHubFolder,
  parseHubAddress,
  tryToOpen,
} from "@saestitch/core/node";

/** A folder with files of a model, on disk or on the hub. */
export interface ModelFolder {
  /** A path, or hf:owner/repo/path@commit. */
  readonly location: string;
  /** Files directly in it. */
  readonly names: readonly string[];
  /** Location of one of its files, for people. */
  locate(name: string): string;
  /** Where a file lies on this machine, links followed; it is downloaded first where it must be. */
  path(name: string): Promise<string>;
  /** The folder of this name in it, undefined where there is none. */
  inside(name: string): Promise<ModelFolder | undefined>;
  /** The folder it lies in, undefined for the root of a repository. */
  above(): Promise<ModelFolder | undefined>;
}

/** Open a folder on disk. Rejects with FormatError when there is none. */
export async function openLocalFolder(path: string): Promise<ModelFolder> {
  const entries = await tryToOpen(path, () => readdir(path, { withFileTypes: true }));
  return {
    location: path,
    names: entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name),
    locate: (name) => join(path, name),
    path: (name) => realpath(join(path, name)),
    inside: async (name) => openLocalFolder(join(path, name)).catch(() => undefined),
    above: async () => openLocalFolder(dirname(await realpath(path))).catch(() => undefined),
  };
}

/** Open a folder of a hub repository, or the one that a file of it lies in, by its address. Rejects as `openHubFolder` does. */
export async function openHubModelFolder(address: string, hub: HubOptions): Promise<ModelFolder> {
  const folder = await openHubFolder(address, hub);
  const found = parseHubAddress(folder.location);
  const { path } = found;
  const at = (place: string) => formatHubAddress({ ...found, path: place });
  return {
    location: folder.location,
    names: await folder.list(),
    locate: (name) => at(posix.join(path, name)),
    async path(name) {
      const source = await folder.open(name);
      await source.close();
      return realpath(source.name);
    },
    inside: (name) => orNone(openHubModelFolder(at(posix.join(path, name)), hub)),
    above: async () =>
      path === ""
        ? undefined
        : orNone(openHubModelFolder(at(posix.join(path, "..").replace(/^\.$/, "")), hub)),
  };
}

/** A folder that the hub does not have is no failure here, one that cannot be reached is. */
async function orNone(folder: Promise<ModelFolder>): Promise<ModelFolder | undefined> {
  try {
    return await folder;
  } catch (error) {
    if (error instanceof HubNotFoundError) return undefined;
    throw error;
  }
}
