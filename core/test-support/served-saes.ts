import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { type HubFolder, type HubOptions, openHubFolder } from "../src/node/hub.ts";
import type { HubProgress } from "../src/node/hub-download.ts";
import { type HubServer, type ServedRepo, sha256, startHubServer } from "./hub-server.ts";

/** What the branch `main` is. */
export const commit = "0123456789abcdef0123456789abcdef01234567";
/** What `refs/pr/1` is. */
export const older = "fedcba9876543210fedcba9876543210fedcba98";
/** What opens `owner/gated`, all of whose contents are closed, and `owner/hidden`, of which nothing is told. */
export const token = "a-token";
/** The content of {@link weightsFile}. */
export const weights = randomBytes(300_000);
/** The content of every `cfg.json`. */
export const config = Buffer.from('{"architecture": "topk"}\n');
const repo: ServedRepo = {
  refs: { main: commit, "refs/pr/1": older },
  files: {
    "README.md": { content: Buffer.from("# read me\n") },
    "layer_1/cfg.json": { content: config },
    "layer_1/sae_weights.safetensors": { content: weights, large: true },
    "layer_1/sparsity.safetensors": { content: randomBytes(1000), large: true },
    "layer_1/empty": { content: Buffer.alloc(0) },
    "layer_1/deeper/notes # 100%.txt": { content: Buffer.from("notes") },
    "layer_2/cfg.json": { content: config },
  },
};
/** What the hub serves. */
export const repos = {
  "owner/saes": repo,
  "owner/gated": { ...repo, gated: true },
  "owner/hidden": { ...repo, private: true },
};
/** A large file of `owner/saes`. */
export const weightsFile = "layer_1/sae_weights.safetensors";

/** The hub of the running test. */
export let server: HubServer;
/** Its `HF_HOME`. */
export let home: string;
/** Where `owner/saes` belongs in its cache. */
export let repoFolder: string;
const folders: HubFolder[] = [];

/** Serve the repositories anew for each test of a file, with an empty cache, in an environment that names both. */
export function serveSaes(): void {
  beforeEach(async () => {
    server = await startHubServer(repos, { token, pageSize: 2 });
    home = await mkdtemp(join(tmpdir(), "hub-"));
    repoFolder = join(home, "hub", "models--owner--saes");
    vi.stubEnv("HF_HOME", home);
    vi.stubEnv("HF_ENDPOINT", server.endpoint);
    for (const name of [
      "HF_HUB_CACHE",
      "HUGGINGFACE_HUB_CACHE",
      "HF_TOKEN",
      "HF_TOKEN_PATH",
      "HF_HUB_DISABLE_IMPLICIT_TOKEN",
      "HF_HUB_OFFLINE",
    ]) {
      vi.stubEnv(name, undefined);
    }
  });

  afterEach(async () => {
    await Promise.all(folders.splice(0).map((folder) => folder.close()));
    await server.close();
    await rm(home, { recursive: true });
    vi.unstubAllEnvs();
  });
}

/** Open a folder, with no waiting between attempts; it is closed after the test. */
export async function open(address: string, options: HubOptions = {}): Promise<HubFolder> {
  const folder = await openHubFolder(address, { retryDelays: [0, 0], ...options });
  folders.push(folder);
  return folder;
}

/** The SHA-256 of a file of the folder, read whole. */
export async function hashOf(folder: HubFolder, name: string): Promise<string> {
  const source = await folder.open(name);
  return sha256(await source.read(0, source.byteLength));
}

/** The error that an action ends in. */
export async function failure(action: Promise<unknown>): Promise<Error> {
  const outcome = await action.then(
    () => "no error",
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(Error);
  return outcome as Error;
}

/** Every file and link below a folder, links with what they say. */
export async function filesBelow(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) continue;
    found[path.slice(folder.length + 1)] = entry.isSymbolicLink() ? `-> ${await readlink(path)}` : "a file";
  }
  return found;
}

/** The names of all blobs of `owner/saes`, and of parts of them. */
export const blobs = () => readdir(join(repoFolder, "blobs")).catch(() => []);
/** Where a broken download of {@link weightsFile} lies. */
export const part = () => join(repoFolder, "blobs", `${sha256(weights)}.incomplete`);

/** A progress callback, and when so many bytes have arrived. */
export function watch(length: number) {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const seen: HubProgress[] = [];
  const onProgress = (progress: HubProgress) => {
    seen.push(progress);
    if (progress.received >= length) arrive();
  };
  return { seen, onProgress, arrived };
}
