import { randomBytes } from "node:crypto";
import { lstat, mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { breakAfter, gitObjectId, sha256 } from "../../test-support/hub-server.ts";
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
  watch,
  weights,
  weightsFile,
} from "../../test-support/served-saes.ts";
import type { HubProgress } from "./hub-download.ts";
import { HubDiskError, HubUnreachableError } from "./hub-error.ts";

serveSaes();

describe("a broken download", () => {
  test("goes on from the break", async () => {
    const { onProgress, arrived } = watch(100_000);
    server.fail(weightsFile, breakAfter(100_000, arrived));
    const folder = await open("hf:owner/saes/layer_1", { onProgress });
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
    expect(server.contents().map(({ range, bytes }) => [range, bytes])).toEqual([
      [undefined, 100_000],
      ["bytes=100000-", 200_000],
    ]);
    expect(await blobs()).toEqual([sha256(weights)]);
  });

  test("is given up after the last attempt without progress, and goes on in the next opening", async () => {
    const { onProgress, arrived } = watch(250_000);
    const nothing = breakAfter(0, Promise.resolve());
    server.fail(weightsFile, breakAfter(250_000, arrived), nothing, nothing);
    const folder = await open("hf:owner/saes/layer_1", { onProgress });
    const error = await failure(folder.open("sae_weights.safetensors"));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.cause).toBeInstanceOf(Error);
    expect(await blobs()).toEqual([`${sha256(weights)}.incomplete`]);
    server.requests.length = 0;

    const again = watch(0);
    const next = await open("hf:owner/saes/layer_1", { onProgress: again.onProgress });
    expect(await hashOf(next, "sae_weights.safetensors")).toBe(sha256(weights));
    expect(server.contents().map(({ range, bytes }) => [range, bytes])).toEqual([["bytes=250000-", 50_000]]);
    expect(again.seen[0]?.received).toBe(250_000);
    expect(await blobs()).toEqual([sha256(weights)]);
  });

  test("is not given up while each attempt brings something", async () => {
    const steps = [1, 2, 3, 4, 5].map((step) => watch(step * 50_000));
    server.fail(weightsFile, ...steps.map(({ arrived }) => breakAfter(50_000, arrived)));
    const onProgress = (progress: HubProgress) => {
      for (const step of steps) step.onProgress(progress);
    };
    const folder = await open("hf:owner/saes/layer_1", { onProgress, retryDelays: [0] });
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
    expect(server.contents().map(({ bytes }) => bytes)).toEqual([
      50_000, 50_000, 50_000, 50_000, 50_000, 50_000,
    ]);
  });

  test("begins anew when the hub ignores the range", async () => {
    await mkdir(join(repoFolder, "blobs"), { recursive: true });
    await writeFile(part(), weights.subarray(0, 1000));
    server.fail(weightsFile, (response, content) => {
      response.writeHead(200, { "Content-Length": content.length });
      response.end(content);
    });
    const folder = await open("hf:owner/saes/layer_1");
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
  });

  test("needs no request when all bytes were there already", async () => {
    await mkdir(join(repoFolder, "blobs"), { recursive: true });
    await writeFile(part(), weights);
    await (await open("hf:owner/saes/layer_1")).open("sae_weights.safetensors");
    expect(server.contents()).toEqual([]);
    expect(await blobs()).toEqual([sha256(weights)]);
  });

  test.each([
    ["wrong", randomBytes(1000)],
    ["longer than the file", randomBytes(400_000)],
  ])("is thrown away when what lay there is %s", async (_, bytes) => {
    const { seen, onProgress } = watch(0);
    await mkdir(join(repoFolder, "blobs"), { recursive: true });
    await writeFile(part(), bytes);
    const folder = await open("hf:owner/saes/layer_1", { onProgress });
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
    expect(await blobs()).toEqual([sha256(weights)]);
    expect(seen.every(({ received, total }) => received <= total)).toBe(true);
  });

  test("of a cut-off blob in the cache is made good", async () => {
    await (await open("hf:owner/saes/layer_1")).open("sae_weights.safetensors");
    await truncate(join(repoFolder, "blobs", sha256(weights)), 1000);
    const folder = await open(`hf:owner/saes/layer_1@${commit}`);
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
  });
});

describe("a disk", () => {
  test("without room for the file is found out before the download", async () => {
    server.answer("/tree/", (response) =>
      response.end(
        JSON.stringify([{ type: "file", path: "layer_1/cfg.json", oid: gitObjectId(config), size: 2 ** 52 }]),
      ),
    );
    const error = await failure((await open("hf:owner/saes/layer_1")).open("cfg.json"));
    expect(error).toBeInstanceOf(HubDiskError);
    expect(error.message).toContain(`${2 ** 52} are needed`);
    expect(server.contents()).toEqual([]);
  });

  const hasFullDevice = process.platform === "linux";
  test.runIf(hasFullDevice)("that becomes full during the download is an error that says so", async () => {
    await mkdir(join(repoFolder, "blobs"), { recursive: true });
    await symlink("/dev/full", part());
    const folder = await open("hf:owner/saes/layer_1");
    const error = await failure(folder.open("sae_weights.safetensors"));
    expect(error).toBeInstanceOf(HubDiskError);
    expect(error.message).toContain("the disk is full");
    expect((error.cause as NodeJS.ErrnoException).code).toBe("ENOSPC");
    expect((await lstat(part())).isSymbolicLink()).toBe(true);
  });

  test("that cannot be written is an error, unless the cache holds the file", async () => {
    await (await open("hf:owner/saes/layer_1")).open("cfg.json");
    const nowhere = join(home, "a-file");
    await writeFile(nowhere, "");
    const folder = await open("hf:owner/saes/layer_1", { cacheDir: nowhere });
    expect(await failure(folder.open("cfg.json"))).toBeInstanceOf(HubDiskError);
  });
});
