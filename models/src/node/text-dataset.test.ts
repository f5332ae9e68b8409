import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError, FormatError, UnsupportedError } from "@saestitch/core";
import { HubNotFoundError, HubUnreachableError, openHubFolder } from "@saestitch/core/node";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { readFixture } from "../../../core/test-support/fixture.ts";
import {
  breakAfter,
  type HubServer,
  type ServedRepo,
  startHubServer,
} from "../../../core/test-support/hub-server.ts";
import { type OpenTextOptions, openText } from "./open-text.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const converted = "fedcba9876543210fedcba9876543210fedcba98";
const columns = await readFixture("text/columns.parquet");
const snappy = await readFixture("text/snappy.parquet");
const all = JSON.parse(new TextDecoder().decode(await readFixture("text/expected.json")));
const texts: string[] = all.filter((text: string | null) => text?.trim());
const large = (content: Uint8Array) => ({ content, large: true });
const small = (content: string) => ({ content: Buffer.from(content) });
const refs = { main: commit };
const repos: Record<string, ServedRepo> = {
  "datasets/owner/sharded": {
    refs,
    files: {
      "README.md": small("about"),
      "data/train-00001-of-00002.parquet": large(snappy),
      "data/train-00000-of-00002.parquet": large(columns),
      "data/test-00000-of-00001.parquet": large(snappy),
    },
  },
  "datasets/owner/configured": {
    refs,
    files: {
      "english/train-00000-of-00001.parquet": large(snappy),
      "german/train-00000-of-00001.parquet": large(columns),
      "lines/a.jsonl": small('{"text": "one"}\n'),
      "lines/b.txt": small("two"),
    },
  },
  "datasets/owner/lines": {
    refs: { ...refs, "refs/convert/parquet": converted },
    files: { "train.jsonl": small('"as lines"\n'), "dataset_infos.json": small("{}") },
    otherFiles: { [converted]: { "default/partial-train/0000.parquet": large(snappy) } },
  },
  "datasets/owner/stories": {
    refs,
    files: { "train.txt": small("once\n\nupon"), "dataset_infos.json": small("{}"), "test.txt": small("a") },
  },
  "datasets/owner/blank": { refs, files: { "a.txt": small(" ") } },
  "datasets/owner/pictures": { refs, files: { "a.png": small("") } },
  "owner/model": { refs, files: { "config.json": small("{}") } },
};

let server: HubServer;
let cacheDir: string;

beforeEach(async () => {
  server = await startHubServer(repos);
  cacheDir = await mkdtemp(join(tmpdir(), "hub-"));
  for (const name of ["HF_HUB_OFFLINE", "HF_TOKEN"]) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
});

afterEach(async () => {
  await server.close();
  await rm(cacheDir, { recursive: true });
  vi.unstubAllEnvs();
});

const hub = (options: OpenTextOptions["hub"] = {}) => ({
  endpoint: server.endpoint,
  cacheDir,
  retryDelays: [0, 0],
  ...options,
});

const open = (address: string, options: OpenTextOptions = {}) =>
  openText(address, { ...options, hub: hub(options.hub) });

async function read(address: string, options: OpenTextOptions = {}): Promise<string[]> {
  const text = await open(address, options);
  try {
    return await collect(text.documents());
  } finally {
    await text.close();
  }
}

describe("openText() of a data set", () => {
  test("streams the shards of its training split, only their texts, and keeps nothing", async () => {
    const text = await open("hf:datasets/owner/sharded");
    expect(text).toMatchObject({ location: `hf:datasets/owner/sharded@${commit}`, files: [] });
    expect(server.contents()).toEqual([]);
    expect(await collect(text.documents())).toEqual([...texts, ...texts]);
    const bytes = (name: string) =>
      server.contents().reduce((sum, seen) => sum + (seen.path.includes(name) ? seen.bytes : 0), 0);
    // Footers are read 64 KiB at a time.
    expect(bytes("train-00000")).toBeLessThan(2 ** 16 + columns.length / 20);
    expect(bytes("train-00001")).toBeLessThan(2 * snappy.length);
    expect(bytes("test")).toBe(0);
    expect(server.contents().every(({ range }) => range !== undefined)).toBe(true);
    expect(await readdir(join(cacheDir, "datasets--owner--sharded"))).not.toContain("blobs");
  });

  test("reads no shard before its turn", async () => {
    const text = await open("hf:datasets/owner/sharded");
    for await (const document of text.documents()) {
      expect(document).toBe(texts[0]);
      break;
    }
    expect(server.contents()).toHaveLength(2);
    expect(server.contents().every(({ path }) => path.includes("train-00000"))).toBe(true);
  });

  test("takes the split, the folder and the file that are named", async () => {
    expect(await read("hf:datasets/owner/sharded", { splitName: "test" })).toEqual(texts);
    expect(await read("hf:datasets/owner/configured", { config: "german" })).toEqual(texts);
    expect(await read("hf:datasets/owner/configured/english@main")).toEqual(texts);
    const path = "hf:datasets/owner/configured/german/train-00000-of-00001.parquet";
    const text = await open(path, { column: "text" });
    expect(text.location).toBe(`${path}@${commit}`);
    expect(await collect(text.documents())).toEqual(texts);
  });

  test("reads the hub's conversion of a data set without Parquet files, pinned to its commit", async () => {
    const warnings: string[] = [];
    const options = { hub: { onWarning: (warning: string) => warnings.push(warning) } };
    const text = await open("hf:datasets/owner/lines", options);
    expect(text.location).toBe(`hf:datasets/owner/lines@${converted}`);
    expect(await collect(text.documents())).toEqual(texts);
    expect(warnings).toEqual([`The hub has converted only the beginning of ${text.location} to Parquet`]);
    expect(await read(text.location)).toEqual(texts);
    expect(await read(`hf:datasets/owner/lines@${commit}`)).toEqual(["as lines"]);
  });

  test("downloads text and JSON lines where there is no Parquet", async () => {
    const seen: string[] = [];
    const onProgress = ({ file }: { file: string }) => seen.push(file);
    expect(await read("hf:datasets/owner/stories", { onProgress })).toEqual(["once", "upon"]);
    expect(new Set(seen)).toEqual(new Set(["train.txt"]));
    expect(await read("hf:datasets/owner/configured/lines/a.jsonl")).toEqual(["one"]);
    const requests = server.contents().length;
    expect(await read("hf:datasets/owner/stories", { split: "document" })).toEqual(["once\n\nupon"]);
    expect(server.contents()).toHaveLength(requests);
  });

  test("goes on where the connection broke", async () => {
    const path = "data/train-00000-of-00002.parquet";
    const text = await open("hf:datasets/owner/sharded");
    server.fail(path, breakAfter(100, Promise.resolve()), breakAfter(0, Promise.resolve()));
    expect(await collect(text.documents())).toHaveLength(2 * texts.length);
  });

  test.each([
    ["hf:datasets/owner/configured", {}, UnsupportedError, "its configurations are: english, german"],
    ["hf:datasets/owner/configured/lines", {}, UnsupportedError, "files of several kinds (.jsonl, .txt)"],
    ["hf:datasets/owner/sharded", { splitName: "tset" }, UnsupportedError, "its splits are: test, train"],
    ["hf:datasets/owner/pictures", {}, UnsupportedError, "it has no files of text, and no conversion"],
    ["hf:datasets/owner/stories/train.txt", { splitName: "train" }, UnsupportedError, "it is one file"],
    ["hf:datasets/owner/sharded/README.md", {}, FormatError, "Cannot read README.md of"],
    ["hf:datasets/owner/none", {}, HubNotFoundError, "there is no such data set"],
    ["hf:owner/model", {}, UnsupportedError, "it names a model repository, expected a data set"],
  ] as const)("refuses %s with %j", async (address, options, kind, reason) => {
    const opening = open(address, options);
    await expect(opening).rejects.toThrow(kind);
    await expect(opening).rejects.toThrow(reason);
  });

  test("names the columns of a shard that has not the one that is asked for", async () => {
    await expect(read("hf:datasets/owner/sharded", { column: "txt" })).rejects.toThrow(
      `train-00000-of-00002.parquet@${commit} has no column "txt"; its columns are: text, `,
    );
  });

  test("rejects when there is no text in it", async () => {
    await expect(read("hf:datasets/owner/blank")).rejects.toThrow(DataError);
  });
});

describe("without the hub, openText() of a data set", () => {
  const train = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"];

  async function download(paths: readonly string[]): Promise<void> {
    const options = { ...hub(), kind: "dataset" as const, recursive: true };
    const folder = await openHubFolder("hf:datasets/owner/sharded", options);
    for (const path of paths) await folder.open(path);
    await folder.close();
  }

  test.each(["down", "switched off"])("reads the shards that the cache holds (%s)", async (how) => {
    await download(train);
    if (how === "down") await server.close();
    else vi.stubEnv("HF_HUB_OFFLINE", "1");
    const warnings: string[] = [];
    const onWarning = (warning: string) => warnings.push(warning);
    expect(await read("hf:datasets/owner/sharded", { hub: { onWarning } })).toHaveLength(2 * texts.length);
    expect(warnings[0]).toContain(`Using owner/sharded at ${commit}`);
  });

  test("rejects at the shard that the cache has not, and says what it has", async () => {
    await download([train[0]]);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const text = await open("hf:datasets/owner/sharded");
    const documents: string[] = [];
    const reading = (async () => {
      for await (const document of text.documents()) documents.push(document);
    })();
    await expect(reading).rejects.toThrow(HubUnreachableError);
    await expect(reading).rejects.toThrow(`The cache holds of it, at ${commit}: ${train[0]}`);
    expect(documents).toEqual(texts);
  });

  test("rejects when the cache holds nothing", async () => {
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const opening = open("hf:datasets/owner/sharded");
    await expect(opening).rejects.toThrow(HubUnreachableError);
    await expect(opening).rejects.toThrow("HF_HUB_OFFLINE is set. The cache holds nothing of it");
  });
});
