import { createHash, randomUUID } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, posix, relative, sep } from "node:path";
import { isSafePath, isSafeSegment } from "./hub-address.ts";
import { writeAtomically } from "./write-atomically.ts";

/** A file of the hub, by its content. */
export interface HubBlob {
  /** SHA-256 of the content for a large file, else its git object id (SHA-1): 64 or 40 hexadecimal digits. */
  readonly id: string;
  /** Bytes. */
  readonly size: number;
}

/** What of a repository is listed. */
export interface Place {
  /** A file or folder; empty for the repository's root. */
  readonly path: string;
  /** Whether the files of a folder's folders are listed, too. */
  readonly recursive: boolean;
}

/** The files of one folder of a repository, at one commit. */
export interface HubListing {
  /** Path of the folder in the repository; empty for its root. */
  readonly folder: string;
  /** By name, which is a path where the listing is recursive; without a blob where only the cache could be asked. */
  readonly files: ReadonlyMap<string, HubBlob | undefined>;
}

/** Whether this is a full commit hash, which names one state of a repository forever. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether the values could come from a hub: an id that is a hash, and so a safe file name, and a possible size. */
export function isBlob(id: unknown, size: unknown): boolean {
  return (
    /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(String(id)) && Number.isSafeInteger(size) && Number(size) >= 0
  );
}

/** Where the cache keeps a file of one commit: a link to its blob. */
export function snapshotPath(repoFolder: string, commit: string, path: string): string {
  return join(repoFolder, "snapshots", commit, path);
}

/** The commit that a branch or tag was when it was last downloaded. */
export async function readRef(repoFolder: string, revision: string): Promise<string | undefined> {
  const text = await readIfThere(join(repoFolder, "refs", revision));
  const commit = text?.trim() ?? "";
  return isCommit(commit) ? commit : undefined;
}

/** Whether a name may stand in a listing: a path below the folder, of one part unless the listing is recursive. */
export function isNameWithin(name: string, recursive: boolean): boolean {
  return recursive ? isSafePath(name) : isSafeSegment(name);
}

/** The listing of a place that {@link remember} left. */
export async function readListing(
  repoFolder: string,
  commit: string,
  place: Place,
): Promise<HubListing | undefined> {
  const { path, recursive } = place;
  const text = await readIfThere(listingPath(repoFolder, commit, place));
  if (text === undefined) return undefined;
  try {
    const { folder, files } = JSON.parse(text) as { folder: string; files: Record<string, HubBlob> };
    const isOfPath = folder === path || folder === parentOf(path);
    const isSound = Object.entries(files).every(
      ([name, { id, size }]) => isNameWithin(name, recursive) && isBlob(id, size),
    );
    return isOfPath && isSound ? { folder, files: new Map(Object.entries(files)) } : undefined;
  } catch {
    // A listing that cannot be read is asked for again.
    return undefined;
  }
}

/** List what the cache holds of a place, whoever downloaded it; undefined when that is nothing. */
export async function listSnapshot(
  repoFolder: string,
  commit: string,
  { path, recursive }: Place,
): Promise<HubListing | undefined> {
  const isOneFile = await isFile(snapshotPath(repoFolder, commit, path));
  const folder = isOneFile ? parentOf(path) : path;
  const at = snapshotPath(repoFolder, commit, folder);
  const found = await readdir(at, { recursive: recursive && !isOneFile }).catch(() => []);
  const names = found.map((name) => name.split(sep).join("/"));
  const present = await Promise.all(names.map((name) => isFile(join(at, name))));
  const files = new Map(names.filter((_, i) => present[i]).map((name) => [name, undefined]));
  return files.size === 0 ? undefined : { folder, files };
}

/** What the cache holds of a repository, for a message about a hub that cannot be reached: a few files of a few commits. */
export async function describeCache(repoFolder: string): Promise<string> {
  const commits = (await readdir(join(repoFolder, "snapshots")).catch(() => [])).filter(isCommit);
  const held: string[] = [];
  for (const commit of commits) {
    const names = [
      ...((await listSnapshot(repoFolder, commit, { path: "", recursive: true }))?.files.keys() ?? []),
    ];
    const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
    if (names.length > 0) held.push(`at ${commit}: ${names.slice(0, 5).join(", ")}${more}`);
  }
  if (held.length === 0) return "The cache holds nothing of it";
  const more = held.length > 3 ? `; and files of ${held.length - 3} more commits` : "";
  return `The cache holds of it, ${held.slice(0, 3).join("; ")}${more}`;
}

/**
 * Keep which commit a revision is (as the hub's own tools do) and what a place holds (in a hidden folder which
 * they ignore), so that the next opening needs no network.
 */
export async function remember(
  repoFolder: string,
  revision: string,
  commit: string,
  place: Place,
  { folder, files }: HubListing,
): Promise<void> {
  // The hub's tools take a ref without its snapshot for a broken cache.
  await mkdir(snapshotPath(repoFolder, commit, folder), { recursive: true });
  if (revision !== commit && (await readRef(repoFolder, revision)) !== commit) {
    await writeText(join(repoFolder, "refs", revision), commit);
  }
  // What the cache alone says a folder holds may be a part of it.
  const isWhole = ![...files.values()].includes(undefined);
  if (isWhole && (await readListing(repoFolder, commit, place)) === undefined) {
    const text = JSON.stringify({ folder, files: Object.fromEntries(files) }, undefined, 1);
    await writeText(listingPath(repoFolder, commit, place), `${text}\n`);
  }
}

/** Make a blob appear in a snapshot: a relative link, or a copy where the system permits no links. */
export async function linkBlob(blobPath: string, pointerPath: string): Promise<void> {
  await mkdir(dirname(pointerPath), { recursive: true });
  // Beside the blob: what a crash leaves in a snapshot would be taken for one of its files.
  const fresh = `${blobPath}.${randomUUID()}.tmp`;
  try {
    await symlink(relative(dirname(pointerPath), blobPath), fresh);
  } catch {
    await copyFile(blobPath, fresh);
  }
  try {
    await rename(fresh, pointerPath);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** Size of the file a path leads to; undefined when it leads to none. */
export async function fileSize(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

/** The folder a path of a repository lies in; empty for the root. */
export function parentOf(path: string): string {
  const parent = posix.dirname(path);
  return parent === "." ? "" : parent;
}

async function isFile(path: string): Promise<boolean> {
  return (await fileSize(path)) !== undefined;
}

/** By the path's hash, since a path may be longer than a file name can be. */
function listingPath(repoFolder: string, commit: string, { path, recursive }: Place): string {
  // No path has an empty part.
  const key = createHash("sha256")
    .update(recursive ? `${path}//` : path)
    .digest("hex");
  return join(repoFolder, ".listings", commit, `${key}.json`);
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, [Buffer.from(text)]);
}
