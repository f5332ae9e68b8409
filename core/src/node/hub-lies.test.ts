import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { gitObjectId, sha256 } from "../../test-support/hub-server.ts";
import {
  blobs,
  commit,
  config,
  failure,
  hashOf,
  home,
  open,
  part,
  repoFolder,
  server,
  serveSaes,
  weights,
  weightsFile,
} from "../../test-support/served-saes.ts";
import { HubContentError, HubUnreachableError } from "./hub-error.ts";

serveSaes();

describe("a hub that lies", () => {
  const answerTree = (...entries: unknown[]) =>
    server.answer("/tree/", (response) => response.end(JSON.stringify(entries)));
  const oid = gitObjectId(config);

  test.each([
    "../cfg.json",
    "layer_1/../../../../evil",
    "layer_1/..",
    "layer_1/",
    "layer_1",
    "/etc/passwd",
    "layer_1/a/b",
    "layer_1/a\\..\\..\\b",
    "layer_1/C:evil",
    "layer_1/a\u0000b",
    "layer_10/cfg.json",
    "",
    null,
    7,
  ])("about the name %j is refused, and nothing is written", async (path) => {
    answerTree({ type: "file", path, oid, size: config.length });
    const error = await failure(open("hf:owner/saes/layer_1"));
    expect(error).toBeInstanceOf(HubContentError);
    expect(error.message).toContain(`names ${JSON.stringify(path)}`);
    expect(await readdir(home)).toEqual([]);
  });

  test.each([
    { oid: "../../../evil", size: 1 },
    { oid: "", size: 1 },
    { size: 1 },
    { oid, size: -1 },
    { oid, size: 1.5 },
    { oid, size: 2 ** 53 },
    { oid, size: "24" },
    { oid },
    { oid, size: 1, lfs: { oid: "x", size: 1 } },
    { oid, size: 1, lfs: null },
  ])("about the content %j is refused", async (blob) => {
    answerTree({ type: "file", path: "layer_1/cfg.json", ...blob });
    expect(await failure(open("hf:owner/saes/layer_1"))).toBeInstanceOf(HubContentError);
    expect(await readdir(home)).toEqual([]);
  });

  test.each(["[null]", "{}", "not JSON", '["layer_1/cfg.json"]'])(
    "with %s for a listing is refused",
    async (body) => {
      server.answer("/tree/", (response) => response.end(body));
      expect(await failure(open("hf:owner/saes/layer_1"))).toBeInstanceOf(HubContentError);
    },
  );

  test.each(["../../../evil", commit.slice(1), 7, null, undefined])(
    "about the commit (%j) is refused",
    async (sha) => {
      server.answer("/revision/", (response) => response.end(JSON.stringify({ sha })));
      const error = await failure(open("hf:owner/saes/layer_1"));
      expect(error).toBeInstanceOf(HubContentError);
      expect(await readdir(home)).toEqual([]);
    },
  );

  test("with a listing that never ends is refused", async () => {
    server.answer("/tree/", (response) => {
      response.setHeader("Link", `<${server.endpoint}/api/models/owner/saes/tree/main>; rel="next"`);
      response.end("[]");
    });
    expect((await failure(open("hf:owner/saes"))).message).toContain("is page 1001 of one listing");
    const endless: typeof fetch = async (input, init) =>
      String(input).includes("/tree/")
        ? new Response(new ReadableStream({ pull: (stream) => stream.enqueue(Buffer.alloc(2 ** 20, " ")) }))
        : fetch(input, init);
    expect((await failure(open("hf:owner/saes", { fetch: endless }))).message).toContain(
      "go on after 67108864",
    );
  });

  type Lie = (response: ServerResponse, content: Uint8Array, start: number) => void;
  const lies: [string, string, Lie][] = [
    [
      "another content of the same length",
      "have the hash",
      (response, content) => response.end(randomBytes(content.length)),
    ],
    [
      "a longer content",
      "goes on after the 300000 bytes",
      (response, content) => {
        response.write(content);
        response.end("more");
      },
    ],
    [
      "a longer length",
      "expected 300000 bytes, the answer has 300001",
      (response) => response.writeHead(200, { "Content-Length": 300_001 }).end(Buffer.alloc(300_001)),
    ],
    [
      "a shorter length",
      "expected 300000 bytes, the answer has 4",
      (response) => response.writeHead(200, { "Content-Length": 4 }).end("less"),
    ],
    ["an empty status", "expected status 200 or 206, got 204", (response) => response.writeHead(204).end()],
    [
      "a part that was not asked for",
      "expected the range bytes 0-299999/300000, the answer holds bytes 5-9/300000",
      (response) => response.writeHead(206, { "Content-Range": "bytes 5-9/300000" }).end("parts"),
    ],
  ];
  test.each(lies)("about a file: %s", async (_, reason, lie) => {
    server.fail(weightsFile, lie);
    const folder = await open("hf:owner/saes/layer_1");
    const error = await failure(folder.open("sae_weights.safetensors"));
    expect(error).toBeInstanceOf(HubContentError);
    expect(error.message).toContain(reason);
    expect(await blobs()).toEqual([]);
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
  });

  test.each([
    ["another place", "bytes 999-299999/300000"],
    ["another length", "bytes 1000-300000/300001"],
    ["no place", undefined],
    ["nonsense", "parsecs 12"],
  ])("about where a resumed download goes on: %s", async (_, range) => {
    await mkdir(join(repoFolder, "blobs"), { recursive: true });
    await writeFile(part(), weights.subarray(0, 1000));
    server.fail(weightsFile, (response, content) => {
      response.writeHead(206, range === undefined ? {} : { "Content-Range": range });
      response.end(content.subarray(1000));
    });
    const folder = await open("hf:owner/saes/layer_1");
    const error = await failure(folder.open("sae_weights.safetensors"));
    expect(error).toBeInstanceOf(HubContentError);
    expect(error.message).toContain("expected the range bytes 1000-299999/300000");
    expect(await blobs()).toEqual([]);
  });

  test("by ending each answer early, without an error, is given up", async () => {
    const early: Lie = (response) => {
      response.write("");
      response.end();
    };
    server.fail(weightsFile, early, early, early);
    const folder = await open("hf:owner/saes/layer_1");
    const error = await failure(folder.open("sae_weights.safetensors"));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.message).toContain("ended after 0 of 300000 bytes");
  });

  test("in a listing kept in the cache is not believed", async () => {
    await open("hf:owner/saes/layer_1");
    const listings = join(repoFolder, ".listings", commit);
    const [name] = await readdir(listings);
    for (const kept of [
      "{",
      "null",
      JSON.stringify({ folder: "..", files: {} }),
      JSON.stringify({ folder: "layer_1", files: { "../evil": { id: oid, size: 1 } } }),
      JSON.stringify({ folder: "layer_1", files: { evil: { id: "../evil", size: 1 } } }),
      JSON.stringify({ folder: "layer_1", files: { evil: null } }),
    ]) {
      await writeFile(join(listings, name!), kept);
      expect(await (await open("hf:owner/saes/layer_1")).list()).toContain("cfg.json");
    }
  });
});
