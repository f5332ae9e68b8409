import { homedir } from "node:os";
import { join } from "node:path";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";
import type { SaeFiles } from "../sae/dialects/dialect.ts";
import { type FileSource, openFile } from "./file-source.ts";
import { formatHubAddress, parseHubAddress } from "./hub-address.ts";
import { fileSize, linkBlob, remember, snapshotPath } from "./hub-cache.ts";
import { downloadBlob, type HubProgress, onDisk } from "./hub-download.ts";
import { HubError, HubNotFoundError, HubUnreachableError } from "./hub-error.ts";
import { encodePath, listFolder, resolveCommit } from "./hub-listing.ts";
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

/** A folder of a hub repository at one commit; its files come into the hub's cache as they are opened. */
export interface HubFolder extends SaeFiles {
  /** The commit that is read, whatever the branch may become. */
  readonly commit: string;
  /** Download the file if the cache does not hold it, and open it. */
  open(name: string): Promise<FileSource>;
  /** Close every file that was opened. */
  close(): Promise<void>;
}

/**
 * Open a folder of a hub repository, or the folder that a file of it lies in, by its address
 * `hf:owner/repo/path@revision`.
 *
 * The revision is pinned to its commit now. Only opened files are downloaded, into the hub's cache (the one Python's
 * `huggingface_hub` uses), continuing a broken download. When the revision is a full commit, no request is made for
 * what the cache holds; when the hub cannot be reached, or `HF_HUB_OFFLINE` is set, what the cache holds of a branch is
 * used, with a warning. Rejects with an UnsupportedError for a malformed address and with a {@link HubError} when
 * reading fails.
 */
export async function openHubFolder(address: string, options: HubOptions = {}): Promise<HubFolder> {
  const { repo, path, revision } = parseHubAddress(address);
  const { onProgress = () => {}, onWarning = () => {}, cacheDir = defaultCacheDir() } = options;
  const token = options.token ?? (await findHubToken());
  const connection = connect(repo, revision, { ...options, ...(token && { token }) });
  const repoFolder = join(cacheDir, getRepoFolderName({ type: "model", name: repo }));

  const commit = await resolveCommit(connection, repoFolder, onWarning);
  const listing = await listFolder({ ...connection, revision: commit }, repoFolder, path, onWarning);
  await remember(repoFolder, revision, commit, path, listing).catch(() => {
    // A cache that cannot be written still can be read.
  });

  const location = formatHubAddress({ repo, path: listing.folder, revision: commit });
  const opened: FileSource[] = [];
  const fetching = new Map<string, Promise<string>>();

  async function fetchFile(name: string): Promise<string> {
    if (!listing.files.has(name)) {
      throw new HubNotFoundError(`Cannot open ${name} of ${location}: the folder has no such file`);
    }
    const file = joinPath(listing.folder, name);
    const pointer = snapshotPath(repoFolder, commit, file);
    const blob = listing.files.get(name);
    const present = await fileSize(pointer);
    if (present !== undefined && (blob === undefined || present === blob.size)) return pointer;
    if (blob === undefined) {
      throw new HubUnreachableError(`Cannot open ${name} of ${location}: it is no longer in the cache`);
    }
    const blobPath = join(repoFolder, "blobs", blob.id);
    if ((await fileSize(blobPath)) !== blob.size) {
      const url = `${connection.endpoint}/${repo}/resolve/${commit}/${encodePath(file)}`;
      await downloadBlob(file, url, blob, blobPath, { ...connection, revision: commit }, onProgress);
    }
    await onDisk(pointer, () => linkBlob(blobPath, pointer));
    return pointer;
  }

  return {
    location,
    commit,
    list: async () => [...listing.files.keys()],
    async open(name) {
      const running = fetching.get(name) ?? fetchFile(name).finally(() => fetching.delete(name));
      fetching.set(name, running);
      const source = await openFile(await running);
      opened.push(source);
      return source;
    },
    async close() {
      await Promise.all(opened.splice(0).map((source) => source.close()));
    },
  };
}

function connect(repo: string, revision: string, options: HubOptions): HubConnection {
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
    repo,
    revision,
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
