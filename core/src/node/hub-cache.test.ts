import type * as fs from "node:fs/promises";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { linkBlob, snapshotPath } from "./hub-cache.ts";

const permission = vi.hoisted(() => ({ links: true }));
vi.mock("node:fs/promises", async (original) => {
  const actual = await original<typeof fs>();
  const symlink: typeof fs.symlink = async (...given) => {
    if (!permission.links) throw Object.assign(new Error("operation not permitted"), { code: "EPERM" });
    return actual.symlink(...given);
  };
  return { ...actual, symlink };
});

let folder: string;
let blob: string;
let pointer: string;

beforeEach(async () => {
  permission.links = true;
  folder = await mkdtemp(join(tmpdir(), "hub-"));
  blob = join(folder, "blobs", "a1");
  pointer = snapshotPath(folder, "c0", "layer/cfg.json");
  await mkdir(join(folder, "blobs"));
  await writeFile(blob, "content");
});

afterEach(() => rm(folder, { recursive: true }));

describe("linkBlob()", () => {
  test("links, where a link to something else or to nothing was, too", async () => {
    await writeFile(join(folder, "blobs", "b2"), "older");
    await linkBlob(join(folder, "blobs", "b2"), pointer);
    await rm(join(folder, "blobs", "b2"));
    await linkBlob(blob, pointer);
    expect((await lstat(pointer)).isSymbolicLink()).toBe(true);
    expect(await readFile(pointer, "utf8")).toBe("content");
    expect(await readdir(join(folder, "blobs"))).toEqual(["a1"]);
  });

  test("copies where links are not permitted", async () => {
    permission.links = false;
    await linkBlob(blob, pointer);
    expect((await lstat(pointer)).isFile()).toBe(true);
    expect(await readFile(pointer, "utf8")).toBe("content");
    expect(await readdir(join(folder, "blobs"))).toEqual(["a1"]);
    expect(await readdir(join(folder, "snapshots/c0/layer"))).toEqual(["cfg.json"]);
  });
});
