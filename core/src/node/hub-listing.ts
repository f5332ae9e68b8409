import { datasetInfo, type ListFileEntry, listFiles, modelInfo, pathsInfo } from "@huggingface/hub";
import { pageOf } from "./hub-address.ts";
import {
  type HubBlob,
  type HubListing,
  isBlob,
  isCommit,
  isNameWithin,
  listSnapshot,
  type Place,
  parentOf,
  readListing,
  readRef,
} from "./hub-cache.ts";
import { HubContentError, HubError, HubNotFoundError, HubUnreachableError } from "./hub-error.ts";
import { apiFetch, type HubConnection } from "./hub-request.ts";

/** The commit of the connection's revision: asked of the hub, or what the cache remembers when that cannot be. */
export async function resolveCommit(
  connection: HubConnection,
  repoFolder: string,
  onWarning: (message: string) => void,
): Promise<string> {
  const { kind, repo, revision, endpoint } = connection;
  if (isCommit(revision)) return revision;
  const remembered = await readRef(repoFolder, revision);
  // With an answer at hand nobody wants to wait.
  const patience = remembered === undefined ? connection : { ...connection, retryDelays: [] };
  try {
    const asked = { name: repo, revision, hubUrl: endpoint, fetch: apiFetch(patience) };
    const { sha } = await understood(apiAddress(connection), () =>
      kind === "model"
        ? modelInfo({ ...asked, additionalFields: ["sha"] })
        : datasetInfo({ ...asked, additionalFields: ["sha"] }),
    );
    if (typeof sha === "string" && isCommit(sha)) return sha;
    throw new HubContentError(
      `Cannot read ${repo}: expected a commit for ${revision}, got ${JSON.stringify(sha)}`,
    );
  } catch (error) {
    if (!(error instanceof HubUnreachableError) || remembered === undefined) throw error;
    onWarning(`${error.message}. Using ${repo} at ${remembered}, which ${revision} was when last downloaded`);
    return remembered;
  }
}

/**
 * The files of the folder that a place of the connection's repository is or lies in, at its revision, a commit: what an earlier opening
 * remembered, else what the hub says, else, when it cannot be reached, what of them the cache holds.
 */
export async function listFolder(
  connection: HubConnection,
  repoFolder: string,
  place: Place,
  onWarning: (message: string) => void,
): Promise<HubListing> {
  const { revision: commit } = connection;
  const remembered = await readListing(repoFolder, commit, place);
  if (remembered !== undefined) return remembered;
  const cached = await listSnapshot(repoFolder, commit, place);
  const patience = cached === undefined ? connection : { ...connection, retryDelays: [] };
  try {
    return await understood(`${apiAddress(connection)}/tree/${commit}`, () => askForListing(patience, place));
  } catch (error) {
    if (!(error instanceof HubUnreachableError) || cached === undefined) throw error;
    onWarning(`${error.message}. Using the ${cached.files.size} files of that folder that the cache holds`);
    return cached;
  }
}

async function askForListing(connection: HubConnection, { path, recursive }: Place): Promise<HubListing> {
  const { kind, repo, revision, endpoint } = connection;
  const where = {
    repo: { type: kind, name: repo },
    revision,
    hubUrl: endpoint,
    fetch: apiFetch(connection),
  };
  let folder = path;
  let isWhole = recursive;
  if (path !== "") {
    const [found] = await pathsInfo({ ...where, paths: [path] });
    if (found === undefined) {
      throw new HubNotFoundError(
        `Cannot read ${repo}: it has no path ${JSON.stringify(path)} at ${revision} (${endpoint}/${pageOf(kind, repo)}/tree/${revision})`,
      );
    }
    if (found.type === "file") {
      folder = parentOf(path);
      isWhole = false;
    }
  }
  const files = new Map<string, HubBlob>();
  for await (const entry of listFiles({ ...where, path: encodePath(folder), recursive: isWhole })) {
    const name = nameWithin(folder, entry.path, isWhole);
    if (entry.type === "file") files.set(name, blobOf(entry));
  }
  return { folder, files };
}

function nameWithin(folder: string, path: unknown, recursive: boolean): string {
  const prefix = folder === "" ? "" : `${folder}/`;
  const name = typeof path === "string" && path.startsWith(prefix) ? path.slice(prefix.length) : "";
  if (!isNameWithin(name, recursive)) {
    throw new HubContentError(
      `Cannot use the hub's listing of ${JSON.stringify(folder)}: it names ${JSON.stringify(path)}, which cannot be a file in it`,
    );
  }
  return name;
}

function blobOf({ path, oid, size, lfs }: ListFileEntry): HubBlob {
  const blob = lfs === undefined ? { id: oid, size } : { id: lfs.oid, size: lfs.size };
  if (!isBlob(blob.id, blob.size)) {
    throw new HubContentError(
      `Cannot use the hub's listing: ${JSON.stringify(path)} has the hash ${JSON.stringify(blob.id)} and the size ${blob.size}`,
    );
  }
  return blob as HubBlob;
}

/** Run a call of the hub's client; an error that is none of ours means an answer it could not make sense of. */
async function understood<T>(url: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof HubError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HubContentError(`Cannot understand the answer of ${url}: ${reason}`, { cause });
  }
}

function apiAddress({ endpoint, kind, repo }: HubConnection): string {
  return `${endpoint}/api/${kind}s/${repo}`;
}

/** A path of a repository as a part of an address. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
