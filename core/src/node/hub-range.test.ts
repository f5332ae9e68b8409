import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { breakAfter, type Fault, type HubServer, startHubServer } from "../../test-support/hub-server.ts";
import { FormatError, UnsupportedError } from "../errors.ts";
import { type HubFolder, type HubFolderOptions, openHubFolder } from "./hub.ts";
import { HubContentError, HubNotFoundError, HubUnreachableError } from "./hub-error.ts";
import { readSae } from "./read-sae.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const converted = "fedcba9876543210fedcba9876543210fedcba98";
const token = "a-token";
const shard = randomBytes(300_000);
const note = Buffer.from("a few words");
const files = {
  "README.md": { content: note },
  "data/train-00000-of-00002.parquet": { content: shard, large: true },
  "data/train-00001-of-00002.parquet": { content: randomBytes(1000), large: true },
  "data/more/notes # 1.txt": { content: note },
};
const path = "data/train-00000-of-00002.parquet";

let server: HubServer;
let cacheDir: string;
const folders: HubFolder[] = [];

beforeEach(async () => {
  server = await startHubServer(
    {
      "datasets/owner/texts": { refs: { main: commit, "refs/convert/parquet": converted }, files },
      "datasets/owner/hidden": { refs: { main: commit }, files, private: true },
      "owner/model": {
        refs: { main: commit },
        files: { "config.json": { content: note }, "onnx/model.onnx": { content: shard, large: true } },
      },
    },
    { token, pageSize: 2 },
  );
  cacheDir = await mkdtemp(join(tmpdir(), "hub-"));
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  vi.stubEnv("HF_TOKEN", undefined);
  vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
});

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => folder.close()));
  await server.close();
  await rm(cacheDir, { recursive: true });
  vi.unstubAllEnvs();
});

async function open(address: string, options: HubFolderOptions = {}): Promise<HubFolder> {
  const kind = address.startsWith("hf:datasets/") ? "dataset" : "model";
  const endpoint = server.endpoint;
  const folder = await openHubFolder(address, { kind, endpoint, cacheDir, retryDelays: [0, 0], ...options });
  folders.push(folder);
  return folder;
}

async function openShard(options: HubFolderOptions = {}) {
  const folder = await open("hf:datasets/owner/texts", { recursive: true, ...options });
  return await folder.openRemote(path);
}

describe("openHubFolder() of a data set", () => {
  test("lists the files below a folder, over as many pages as the hub makes of it", async () => {
    const root = await open("hf:datasets/owner/texts", { recursive: true });
    expect(root.location).toBe(`hf:datasets/owner/texts@${commit}`);
    expect(root.file).toBeUndefined();
    expect(await root.list()).toEqual(Object.keys(files));
    const data = await open("hf:datasets/owner/texts/data", { recursive: true });
    expect(await data.list()).toEqual([
      "train-00000-of-00002.parquet",
      "train-00001-of-00002.parquet",
      "more/notes # 1.txt",
    ]);
    expect(await (await open("hf:datasets/owner/texts/data")).list()).toHaveLength(2);
  });

  test("names the file that the address names, and lists only its folder", async () => {
    const folder = await open(`hf:datasets/owner/texts/${path}`, { recursive: true });
    expect(folder.file).toBe("train-00000-of-00002.parquet");
    expect(folder.location).toBe(`hf:datasets/owner/texts/data@${commit}`);
    expect(await folder.list()).toHaveLength(2);
    expect((await open("hf:datasets/owner/texts/README.md")).file).toBe("README.md");
  });

  test("downloads what is opened into the folder that Python's library uses", async () => {
    const folder = await open("hf:datasets/owner/texts", { recursive: true });
    const source = await folder.open("data/more/notes # 1.txt");
    expect(Buffer.from(await source.read(0, source.byteLength))).toEqual(note);
    expect(await readdir(cacheDir)).toEqual(["datasets--owner--texts"]);
    const snapshot = join(cacheDir, "datasets--owner--texts/snapshots", commit);
    expect(await readdir(join(snapshot, "data/more"))).toEqual(["notes # 1.txt"]);
  });

  test("pins the branch of converted files to its commit", async () => {
    const folder = await open("hf:datasets/owner/texts/data@refs/convert/parquet");
    expect(folder.commit).toBe(converted);
    expect(folder.location).toBe(`hf:datasets/owner/texts/data@${converted}`);
  });

  test("asks for nothing when it has listed the commit before", async () => {
    await open("hf:datasets/owner/texts", { recursive: true });
    await open("hf:datasets/owner/texts/data");
    server.requests.length = 0;
    const known = await open(`hf:datasets/owner/texts@${commit}`, { recursive: true });
    expect(await known.list()).toEqual(Object.keys(files));
    expect(await (await open(`hf:datasets/owner/texts/data@${commit}`)).list()).toHaveLength(2);
    expect(server.requests).toEqual([]);
  });

  test("without the hub, lists what another program left in the cache, in all its folders", async () => {
    const folder = await open("hf:datasets/owner/texts", { recursive: true });
    await folder.open("README.md");
    await folder.open("data/more/notes # 1.txt");
    await rm(join(cacheDir, "datasets--owner--texts/.listings"), { recursive: true });
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const warnings: string[] = [];
    const onWarning = (warning: string) => warnings.push(warning);
    const cached = await open("hf:datasets/owner/texts", { recursive: true, onWarning });
    expect([...(await cached.list())].sort()).toEqual(["README.md", "data/more/notes # 1.txt"]);
    expect((await cached.openRemote("README.md")).byteLength).toBe(note.length);
    expect(warnings.at(-1)).toContain("Using the 2 files of that folder that the cache holds");
  });

  test("is refused where a model is wanted, and a model where a data set is", async () => {
    const wanted = [openHubFolder("hf:datasets/owner/texts"), readSae("hf:datasets/owner/texts")];
    for (const opening of wanted) {
      await expect(opening).rejects.toThrow(UnsupportedError);
      await expect(opening).rejects.toThrow("names a data set, expected a model repository, hf:owner/repo");
    }
    const opening = openHubFolder("hf:owner/model", { kind: "dataset" });
    await expect(opening).rejects.toThrow("names a model repository, expected a data set, hf:datasets/");
    expect(server.requests).toEqual([]);
  });

  test("says of what kind the repository is that is not there", async () => {
    const error = open("hf:datasets/owner/none");
    await expect(error).rejects.toThrow(HubNotFoundError);
    await expect(error).rejects.toThrow("there is no such data set");
    await expect(open("hf:datasets/owner/hidden")).rejects.toThrow(
      "or it is private and HF_TOKEN must be set",
    );
    expect(await (await open("hf:datasets/owner/hidden", { token })).list()).toEqual(["README.md"]);
  });
});

test("openHubFolder() opens the root of a model, and a folder of it", async () => {
  expect(await (await open("hf:owner/model")).list()).toEqual(["config.json"]);
  const folder = await open("hf:owner/model/onnx");
  expect(await folder.list()).toEqual(["model.onnx"]);
  expect((await folder.open("model.onnx")).byteLength).toBe(shard.length);
  expect(await (await open("hf:owner/model", { recursive: true })).list()).toEqual([
    "config.json",
    "onnx/model.onnx",
  ]);
});

describe("openRemote()", () => {
  test("reads the ranges it is asked for and no other byte", async () => {
    const source = await openShard();
    expect(source.byteLength).toBe(shard.length);
    expect(source.name).toBe(`hf:datasets/owner/texts/${path}@${commit}`);
    server.requests.length = 0;
    for (const [start, end] of [
      [1000, 1500],
      [0, 10],
      [299_999, 300_000],
      [7, 7],
      [0, 300_000],
    ] as const) {
      expect(Buffer.from(await source.read(start, end))).toEqual(shard.subarray(start, end));
    }
    expect(server.contents().map(({ range, bytes }) => [range, bytes])).toEqual([
      ["bytes=1000-1499", 500],
      ["bytes=0-9", 10],
      ["bytes=299999-299999", 1],
      ["bytes=0-299999", 300_000],
    ]);
    expect(await readdir(join(cacheDir, "datasets--owner--texts"))).not.toContain("blobs");
    await source.close();
  });

  test("refuses a range outside of the file before asking for it", async () => {
    const source = await openShard();
    for (const [start, end] of [
      [-1, 3],
      [5, 4],
      [0, 300_001],
    ] as const) {
      await expect(source.read(start, end)).rejects.toThrow(FormatError);
    }
    expect(server.contents()).toEqual([]);
  });

  test("sends the token to the hub and not to its file store", async () => {
    const folder = await open(`hf:datasets/owner/hidden/${path}`, { token });
    const source = await folder.openRemote("train-00000-of-00002.parquet");
    await source.read(10, 20);
    const asked = server.requests.filter(({ range }) => range !== undefined);
    expect(asked.map(({ toStore, authorization }) => [toStore, authorization])).toEqual([
      [false, `Bearer ${token}`],
      [true, undefined],
    ]);
  });

  test("reads a file that the cache holds from there", async () => {
    const folder = await open("hf:datasets/owner/texts", { recursive: true });
    await folder.open(path);
    await server.close();
    const source = await folder.openRemote(path);
    expect(Buffer.from(await source.read(100, 200))).toEqual(shard.subarray(100, 200));
  });

  test("does not take a file of another length in the cache for it", async () => {
    const folder = await open("hf:datasets/owner/texts", { recursive: true });
    const source = await folder.open(path);
    await writeFile(source.name, "cut");
    const remote = await folder.openRemote(path);
    expect(Buffer.from(await remote.read(100, 200))).toEqual(shard.subarray(100, 200));
  });

  test("goes on where the connection broke", async () => {
    const source = await openShard();
    server.requests.length = 0;
    const arrived = Promise.resolve();
    server.fail(path, breakAfter(0, arrived), breakAfter(0, arrived));
    expect(Buffer.from(await source.read(1000, 2000))).toEqual(shard.subarray(1000, 2000));
    const early: Fault = (response, content, start, end) => {
      response.writeHead(206, { "Content-Range": `bytes ${start}-${end - 1}/${content.length}` });
      response.write(content.subarray(start, start + 400));
      response.end();
    };
    server.requests.length = 0;
    server.fail(path, early, early);
    expect(Buffer.from(await source.read(1000, 2000))).toEqual(shard.subarray(1000, 2000));
    expect(server.contents().map(({ range }) => range)).toEqual([
      "bytes=1000-1999",
      "bytes=1400-1999",
      "bytes=1800-1999",
    ]);
  });

  const lies: [string, string, Fault][] = [
    ["the whole file", "is no range", (response, content) => response.writeHead(200).end(content)],
    ["nothing", "is no range", (response) => response.writeHead(204).end()],
    [
      "another range",
      "expected the range bytes 1000-1999/300000, the answer holds bytes 0-999/300000",
      (response) =>
        response.writeHead(206, { "Content-Range": "bytes 0-999/300000" }).end(Buffer.alloc(1000)),
    ],
    [
      "a range of another file",
      "the answer holds bytes 1000-1999/5000",
      (response) =>
        response.writeHead(206, { "Content-Range": "bytes 1000-1999/5000" }).end(Buffer.alloc(1000)),
    ],
    ["an unnamed range", "no named range", (response) => response.writeHead(206).end(Buffer.alloc(1000))],
    [
      "more than the range",
      "goes on after the bytes 1000 to 2000",
      (response) =>
        response.writeHead(206, { "Content-Range": "bytes 1000-1999/300000" }).end(Buffer.alloc(1001)),
    ],
    [
      "a compressed range",
      "is compressed (gzip)",
      (response) =>
        response
          .writeHead(206, { "Content-Range": "bytes 1000-1999/300000", "Content-Encoding": "gzip" })
          .end(Buffer.alloc(1000)),
    ],
  ];
  test.each(lies)("refuses %s for an answer", async (_, reason, lie) => {
    const source = await openShard();
    server.fail(path, lie);
    const reading = source.read(1000, 2000);
    await expect(reading).rejects.toThrow(HubContentError);
    await expect(reading).rejects.toThrow(reason);
  });

  test("says what the cache holds when the hub cannot be reached", async () => {
    const folder = await open("hf:datasets/owner/texts", { recursive: true });
    const source = await folder.openRemote(path);
    await server.close();
    const unreachable = source.read(0, 1);
    await expect(unreachable).rejects.toThrow(HubUnreachableError);
    await expect(unreachable).rejects.toThrow("The cache holds nothing of it");
    await expect(open("hf:datasets/owner/others")).rejects.toThrow("The cache holds nothing of it");
  });

  test("names a few files of the cache when the hub cannot be reached", async () => {
    const folder = await open("hf:datasets/owner/texts", { recursive: true });
    await folder.open("README.md");
    const source = await folder.openRemote(path);
    await server.close();
    await expect(source.read(0, 1)).rejects.toThrow(`The cache holds of it, at ${commit}: README.md`);
    await expect(folder.open(path)).rejects.toThrow(`The cache holds of it, at ${commit}: README.md`);
  });
});
