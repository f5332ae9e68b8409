import { homedir } from "node:os";
import { join } from "node:path";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";
import { UnsupportedError } from "../errors.ts";
import type { SaeFiles } from "../sae/dialects/dialect.ts";
import { type FileSource, openFile } from "./file-source.ts";
import {
  describeKind,
  formatHubAddress,
  type HubAddress,
  type HubKind,
  pageOf,
  parseHubAddress,
} from "./hub-address.ts";
import { describeCache, fileSize, type HubBlob, linkBlob, remember, snapshotPath } from "./hub-cache.ts";
import { downloadBlob, type HubProgress, onDisk } from "./hub-download.ts";
import { HubError, HubNotFoundError, HubUnreachableError } from "./hub-error.ts";
import { encodePath, listFolder, resolveCommit } from "./hub-listing.ts";
import { rangedFile } from "./hub-range.ts";
import type { HubConnection } from "./hub-request.ts";
import { findHubToken } from "./hub-token.ts";

/** How to reach the hub, and whom to tell; what is left out comes from the environment, as in the hub's own tools. */
export interface HubOptions {
  /** Called while a file is downloaded, not for a file in the cache. */
  onProgress?: (progress: HubProgress) => void;
  /** Called when the hub cannot be reached and the cache answers in its place. */
  onWarning?: (message: string) => void;
  /** Default: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  cacheDir?: string;
  /** Default: `HF_ENDPOINT`, else `https://huggingface.co`. */
  endpoint?: string;
  /** Default: `HF_TOKEN`, else what `hf auth login` stored. Sent to the endpoint alone. */
  token?: string;
  fetch?: typeof fetch;
  /** Milliseconds to wait before each further attempt when the connection breaks; progress begins the list anew. */
  retryDelays?: readonly number[];
}

/** Which repositories are wanted, and how much of a folder is listed. */
export interface HubFolderOptions extends HubOptions {
  /** Default: "model". */
  kind?: HubKind;
  /** Whether the files of the folder's folders are listed, too, by their path below the folder. Default: false. */
  recursive?: boolean;
}

/** A folder of a hub repository at one commit; its files come into the hub's cache as they are opened. */
export interface HubFolder extends SaeFiles {
  /** The commit that is read, whatever the branch may become. */
  readonly commit: string;
  /** Name of the file that the address named; absent where it named a folder. */
  readonly file?: string;
  /** Download the file if the cache does not hold it, and open it. */
  open(name: string): Promise<FileSource>;
  /**
   * Open the file without downloading it: reads ask the hub for their range. A file that the cache holds whole is read from there. Reads
   * reject with a {@link HubError} when the hub cannot be reached or answers with something else.
   */
  openRemote(name: string): Promise<FileSource>;
  /** Close every file that was opened. */
  close(): Promise<void>;
}

/**
 * Open a folder of a hub repository, or the folder that a file of it lies in, by its address
 * `hf:owner/repo/path@revision` or `hf:datasets/owner/name/path@revision`.
 *
 * The revision is pinned to its commit now. Only opened files are downloaded, into the hub's cache (the one Python's
 * `huggingface_hub` uses), continuing a broken download. When the revision is a full commit, no request is made for
 * what the cache holds; when the hub cannot be reached, or `HF_HUB_OFFLINE` is set, what the cache holds of a branch is
 * used, with a warning. Rejects with an UnsupportedError for a malformed address or one of another kind than `kind`, and with a
 * {@link HubError} when reading fails.
 */
export async function openHubFolder(address: string, options: HubFolderOptions = {}): Promise<HubFolder> {
  const { kind = "model", recursive = false } = options;
  const { repo, path, revision } = parseAddressOf(kind, address);
  const { onProgress = () => {}, onWarning = () => {}, cacheDir = defaultCacheDir() } = options;
  const token = options.token ?? (await findHubToken());
  const connection = connect({ kind, repo, revision }, { ...options, ...(token && { token }) });
  const repoFolder = join(cacheDir, getRepoFolderName({ type: kind, name: repo }));
  const place = { path, recursive };

  const { commit, listing } = await orWhatIsCached(repoFolder, async () => {
    const commit = await resolveCommit(connection, repoFolder, onWarning);
    return {
      commit,
      listing: await listFolder({ ...connection, revision: commit }, repoFolder, place, onWarning),
    };
  });
  const pinned = { ...connection, revision: commit };
  await remember(repoFolder, revision, commit, place, listing).catch(() => {
    // A cache that cannot be written still can be read.
  });

  const location = formatHubAddress({ kind, repo, path: listing.folder, revision: commit });
  const opened: FileSource[] = [];
  const fetching = new Map<string, Promise<string>>();

  /** A file of the listing, and where it lies. */
  function locate(name: string) {
    if (!listing.files.has(name)) {
      throw new HubNotFoundError(`Cannot open ${name} of ${location}: the folder has no such file`);
    }
    const file = joinPath(listing.folder, name);
    const url = `${connection.endpoint}/${pageOf(kind, repo)}/resolve/${commit}/${encodePath(file)}`;
    return { file, url, blob: listing.files.get(name), pointer: snapshotPath(repoFolder, commit, file) };
  }

  const blobPathOf = ({ id }: HubBlob) => join(repoFolder, "blobs", id);

  /** How the cache holds a file whole: as a file of the commit, as a blob alone, or not at all. */
  async function heldAs(name: string): Promise<"file" | "blob" | undefined> {
    const { blob, pointer } = locate(name);
    const present = await fileSize(pointer);
    if (present !== undefined && (blob === undefined || present === blob.size)) return "file";
    return blob !== undefined && (await fileSize(blobPathOf(blob))) === blob.size ? "blob" : undefined;
  }

  async function fetchFile(name: string): Promise<string> {
    const { file, url, blob, pointer } = locate(name);
    const held = await heldAs(name);
    if (held === "file") return pointer;
    if (blob === undefined) {
      throw new HubUnreachableError(`Cannot open ${name} of ${location}: it is no longer in the cache`);
    }
    const blobPath = blobPathOf(blob);
    if (held !== "blob") await downloadBlob(file, url, blob, blobPath, pinned, onProgress);
    await onDisk(pointer, () => linkBlob(blobPath, pointer));
    return pointer;
  }

  async function open(name: string): Promise<FileSource> {
    const running =
      fetching.get(name) ??
      orWhatIsCached(repoFolder, () => fetchFile(name)).finally(() => fetching.delete(name));
    fetching.set(name, running);
    const source = await openFile(await running);
    opened.push(source);
    return source;
  }

  return {
    location,
    commit,
    ...(listing.folder !== path && { file: path.slice(path.lastIndexOf("/") + 1) }),
    list: async () => [...listing.files.keys()],
    open,
    async openRemote(name) {
      const { file, blob, url } = locate(name);
      if (blob === undefined || (await heldAs(name)) !== undefined) return open(name);
      const address = formatHubAddress({ kind, repo, path: file, revision: commit });
      const { read, ...source } = rangedFile(address, url, blob.size, pinned);
      return {
        ...source,
        read: (start, end) => orWhatIsCached(repoFolder, () => read(start, end)),
        // Nothing stays open between two reads.
        close: async () => {},
      };
    },
    async close() {
      await Promise.all(opened.splice(0).map((source) => source.close()));
    },
  };
}

function parseAddressOf(kind: HubKind, address: string): HubAddress {
  const parsed = parseHubAddress(address);
  if (parsed.kind === kind) return parsed;
  const wanted = kind === "model" ? "hf:owner/repo" : "hf:datasets/owner/name";
  throw new UnsupportedError(
    `Cannot read ${JSON.stringify(address)}: it names a ${describeKind(parsed.kind)}, expected a ${describeKind(kind)}, ${wanted}/path@revision`,
  );
}

/** Do something that needs the hub; when it cannot be reached, the error says what the cache holds. */
async function orWhatIsCached<T>(repoFolder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof HubUnreachableError)) throw cause;
    throw new HubUnreachableError(`${cause.message}. ${await describeCache(repoFolder)}`, { cause });
  }
}

function connect(
  which: Pick<HubConnection, "kind" | "repo" | "revision">,
  options: HubOptions,
): HubConnection {
  const {
    endpoint = process.env.HF_ENDPOINT || "https://huggingface.co",
    token,
    retryDelays = [500, 2_000, 8_000],
  } = options;
  if (!URL.canParse(endpoint)) {
    throw new HubError(
      `Cannot use the hub endpoint ${JSON.stringify(endpoint)}: expected an address as https://huggingface.co`,
    );
  }
  const offline = /^(?:1|on|yes|true)$/i.test(process.env.HF_HUB_OFFLINE ?? "");
  return {
    endpoint: endpoint.replace(/\/+$/, ""),
    ...which,
    token: token?.trim() || undefined,
    offline,
    fetch: options.fetch ?? fetch,
    retryDelays: offline ? [] : retryDelays,
  };
}

function defaultCacheDir(): string {
  return getHFHubCachePath().replace(/^~(?=[/\\]|$)/, homedir());
}

function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
