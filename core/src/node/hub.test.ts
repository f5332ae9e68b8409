import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { gitObjectId, sha256 } from "../../test-support/hub-server.ts";
import {
  blobs,
  commit,
  config,
  failure,
  filesBelow,
  hashOf,
  home,
  older,
  open,
  repoFolder,
  server,
  serveSaes,
  watch,
  weights,
  weightsFile,
} from "../../test-support/served-saes.ts";
import { HubUnreachableError } from "./hub-error.ts";

serveSaes();

describe("openHubFolder()", () => {
  test("lists the files of the folder, over as many pages as the hub makes of it", async () => {
    const folder = await open("hf:owner/saes/layer_1");
    expect(folder.commit).toBe(commit);
    expect(folder.location).toBe(`hf:owner/saes/layer_1@${commit}`);
    expect(await folder.list()).toEqual([
      "cfg.json",
      "sae_weights.safetensors",
      "sparsity.safetensors",
      "empty",
    ]);
    expect(server.contents()).toEqual([]);
  });

  test("downloads only the files that are opened, and those whole", async () => {
    const folder = await open("hf:owner/saes/layer_1");
    expect(await hashOf(folder, "cfg.json")).toBe(sha256(config));
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
    expect((await folder.open("empty")).byteLength).toBe(0);
    expect(server.contents().map(({ path, bytes }) => [path.split("?")[0], bytes])).toEqual([
      [`/api/resolve-cache/models/owner/saes/${commit}/layer_1/cfg.json`, config.length],
      [`/owner/saes/${weightsFile}`, weights.length],
    ]);
  });

  test("lays the cache out as the hub's Python library does", async () => {
    const folder = await open("hf:owner/saes/layer_1");
    await folder.open("cfg.json");
    await folder.open("sae_weights.safetensors");
    const found = await filesBelow(join(home, "hub"));
    const listings = Object.keys(found).filter((path) => path.includes("/.listings/"));
    expect(listings).toHaveLength(1);
    for (const path of listings) delete found[path];
    const at = "models--owner--saes";
    expect(found).toEqual({
      [`${at}/refs/main`]: "a file",
      [`${at}/blobs/${gitObjectId(config)}`]: "a file",
      [`${at}/blobs/${sha256(weights)}`]: "a file",
      [`${at}/snapshots/${commit}/layer_1/cfg.json`]: `-> ../../../blobs/${gitObjectId(config)}`,
      [`${at}/snapshots/${commit}/${weightsFile}`]: `-> ../../../blobs/${sha256(weights)}`,
    });
    expect(await readFile(join(repoFolder, "refs/main"), "utf8")).toBe(commit);
  });

  test("asks only for the branch's commit when all is in the cache, and for nothing when given the commit", async () => {
    await hashOf(await open("hf:owner/saes/layer_1"), "cfg.json");
    server.requests.length = 0;
    await hashOf(await open("hf:owner/saes/layer_1"), "cfg.json");
    expect(server.requests.map(({ path }) => path.split("?")[0])).toEqual([
      "/api/models/owner/saes/revision/main",
    ]);
    server.requests.length = 0;
    const folder = await open(`hf:owner/saes/layer_1@${commit}`);
    expect(await hashOf(folder, "cfg.json")).toBe(sha256(config));
    expect(server.requests).toEqual([]);
  });

  test("writes nothing in the cache when it knows all, and the branch's new commit when that has changed", async () => {
    await (await open("hf:owner/saes/layer_1")).open("cfg.json");
    const ref = join(repoFolder, "refs/main");
    const listings = join(repoFolder, ".listings", commit);
    const [listing] = await readdir(listings);
    const files = [ref, join(listings, listing!)];
    const identities = () => Promise.all(files.map(async (path) => (await stat(path)).ino));
    const before = await identities();
    await (await open("hf:owner/saes/layer_1")).open("cfg.json");
    expect(await identities()).toEqual(before);
    server.answer("/revision/main", (response) => response.end(JSON.stringify({ sha: older })));
    expect((await open("hf:owner/saes/layer_1")).commit).toBe(older);
    expect(await readFile(ref, "utf8")).toBe(older);
  });

  test("shares a blob between files and commits", async () => {
    await (await open("hf:owner/saes/layer_1")).open("cfg.json");
    await (await open("hf:owner/saes/layer_2@refs/pr/1")).open("cfg.json");
    expect(await blobs()).toEqual([gitObjectId(config)]);
    expect(server.contents()).toHaveLength(1);
    expect(await readFile(join(repoFolder, "refs/refs/pr/1"), "utf8")).toBe(older);
  });

  test("takes the folder of a file, the root, and names that need escaping", async () => {
    const ofFile = await open(`hf:owner/saes/${weightsFile}`);
    expect(ofFile.location).toBe(`hf:owner/saes/layer_1@${commit}`);
    expect(await ofFile.list()).toContain("cfg.json");
    const root = await open("hf:owner/saes/README.md");
    expect(root.location).toBe(`hf:owner/saes@${commit}`);
    expect(await (await open("hf:owner/saes")).list()).toEqual(["README.md"]);
    const escaped = await open("hf:owner/saes/layer_1/deeper");
    expect(await hashOf(escaped, "notes # 100%.txt")).toBe(sha256(Buffer.from("notes")));
  });

  test("downloads once what is opened twice at the same time", async () => {
    const folder = await open("hf:owner/saes/layer_1");
    await Promise.all([folder.open("sae_weights.safetensors"), folder.open("sae_weights.safetensors")]);
    expect(server.contents()).toHaveLength(1);
  });

  test("lets two downloads of one file run side by side without harm", async () => {
    const [first, second] = await Promise.all([open("hf:owner/saes/layer_1"), open("hf:owner/saes/layer_1")]);
    const hashes = await Promise.all([
      hashOf(first, "sae_weights.safetensors"),
      hashOf(second, "sae_weights.safetensors"),
    ]);
    expect(hashes).toEqual([sha256(weights), sha256(weights)]);
    expect(await blobs()).toEqual([sha256(weights)]);
  });

  test("closes what it opened", async () => {
    const folder = await open("hf:owner/saes/layer_1");
    const source = await folder.open("cfg.json");
    await folder.close();
    await expect(source.read(0, 1)).rejects.toThrow();
  });

  test("reports the bytes received of each file", async () => {
    const { seen, onProgress } = watch(0);
    await (await open("hf:owner/saes/layer_1", { onProgress })).open("sae_weights.safetensors");
    expect(seen[0]).toEqual({ file: weightsFile, received: 0, total: weights.length });
    expect(seen.at(-1)).toEqual({ file: weightsFile, received: weights.length, total: weights.length });
    const received = seen.map((progress) => progress.received);
    expect(received).toEqual([...received].sort((a, b) => a - b));
  });
});

describe("without the hub", () => {
  test.each(["down", "switched off"])(
    "a branch and what the cache holds of it are used (%s)",
    async (how) => {
      await hashOf(await open("hf:owner/saes/layer_1"), "cfg.json");
      if (how === "down") await server.close();
      else vi.stubEnv("HF_HUB_OFFLINE", "1");
      server.requests.length = 0;
      const warnings: string[] = [];
      const folder = await open("hf:owner/saes/layer_1", { onWarning: (warning) => warnings.push(warning) });
      expect(folder.commit).toBe(commit);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(how === "down" ? "ECONNREFUSED" : "HF_HUB_OFFLINE is set");
      expect(warnings[0]).toContain(`Using owner/saes at ${commit}, which main was when last downloaded`);
      expect(await hashOf(folder, "cfg.json")).toBe(sha256(config));
      expect(await failure(folder.open("sae_weights.safetensors"))).toBeInstanceOf(HubUnreachableError);
      expect(server.requests).toEqual([]);
    },
  );

  test("no second attempt is made where the cache has an answer", async () => {
    await open("hf:owner/saes/layer_1");
    let requests = 0;
    const busy: typeof fetch = async () => {
      requests++;
      return new Response(null, { status: 503 });
    };
    expect((await open("hf:owner/saes/layer_1", { fetch: busy })).commit).toBe(commit);
    expect(requests).toBe(1);
  });

  test("a cache that another program filled is used as far as it goes", async () => {
    await (await open("hf:owner/saes/layer_1")).open("cfg.json");
    await rm(join(repoFolder, ".listings"), { recursive: true });
    vi.stubEnv("HF_HUB_OFFLINE", "true");
    for (const path of ["layer_1", "layer_1/cfg.json"]) {
      const warnings: string[] = [];
      const folder = await open(`hf:owner/saes/${path}@${commit}`, {
        onWarning: (warning) => warnings.push(warning),
      });
      expect(folder.location).toBe(`hf:owner/saes/layer_1@${commit}`);
      expect(await folder.list()).toEqual(["cfg.json"]);
      expect(await hashOf(folder, "cfg.json")).toBe(sha256(config));
      expect(warnings[0]).toContain("Using the 1 files of that folder that the cache holds");
    }
    vi.stubEnv("HF_HUB_OFFLINE", undefined);
    expect(await (await open("hf:owner/saes/layer_1")).list()).toHaveLength(4);
  });

  test("nothing in the cache is an error", async () => {
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    for (const revision of ["main", commit]) {
      const error = await failure(open(`hf:owner/saes@${revision}`));
      expect(error).toBeInstanceOf(HubUnreachableError);
      expect(error.message).toContain("HF_HUB_OFFLINE is set");
    }
    expect(server.requests).toEqual([]);
  });
});

describe("the environment", () => {
  test("names the cache by HF_HUB_CACHE before HF_HOME, and an option goes before both", async () => {
    vi.stubEnv("HF_HUB_CACHE", join(home, "elsewhere"));
    await open("hf:owner/saes/layer_1");
    expect(await readdir(home)).toEqual(["elsewhere"]);
    await open("hf:owner/saes/layer_1", { cacheDir: join(home, "given") });
    expect(await readdir(home)).toEqual(["elsewhere", "given"]);
  });

  test("names the hub by HF_ENDPOINT, with or without a slash at its end, and an option goes before it", async () => {
    vi.stubEnv("HF_ENDPOINT", `${server.endpoint}/`);
    await (await open("hf:owner/saes/layer_1")).open("cfg.json");
    expect(server.requests.every(({ path }) => !path.includes("//"))).toBe(true);
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:1");
    expect((await open("hf:owner/saes", { endpoint: server.endpoint })).commit).toBe(commit);
  });
});
