import { appendFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { FilePool } from "./file-pool.ts";

let folder: string;
let paths: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-file-pool-"));
  paths = Array.from({ length: 5 }, (_, i) => join(folder, `file ${i}`));
  for (const [i, path] of paths.entries()) await writeFile(path, new Uint8Array(10).fill(i));
});
afterEach(() => rm(folder, { recursive: true }));

/** How many files of the folder this process has open; not known on every system. */
async function openNow(): Promise<number | undefined> {
  if (process.platform !== "linux") return undefined;
  const { readlink } = await import("node:fs/promises");
  const links = (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ""));
  return (await Promise.all(links)).filter((link) => link.startsWith(folder)).length;
}

test("FilePool reads many files with only a few open", async () => {
  const pool = new FilePool({ mostOpen: 2 });
  const sources: ByteSource[] = [];
  for (const path of paths) sources.push(await pool.source(path));
  expect(sources.map(({ name, byteLength }) => [name, byteLength])).toEqual(paths.map((path) => [path, 10]));
  expect((await openNow()) ?? 2).toBe(2);
  const reads = [0, 4, 1, 3, 2, 0, 0, 4].map(async (i) => [i, ...(await sources[i].read(3, 5))]);
  expect(await Promise.all(reads)).toEqual([0, 4, 1, 3, 2, 0, 0, 4].map((i) => [i, i, i]));
  expect((await openNow()) ?? 2).toBe(2);
  await pool.close();
  expect((await openNow()) ?? 0).toBe(0);
});

test("FilePool rejects reads once it is closed", async () => {
  const pool = new FilePool();
  const source = await pool.source(paths[0]);
  await pool.close();
  await expect(source.read(0, 1)).rejects.toThrow(FormatError);
  await expect(pool.source(paths[1])).rejects.toThrow(/file 1/);
});

test("FilePool rejects a file that is not there, and one that has changed its size", async () => {
  const pool = new FilePool({ mostOpen: 1 });
  await expect(pool.source(join(folder, "missing"))).rejects.toThrow(/missing: there is no such file/);
  const source = await pool.source(paths[0]);
  await pool.source(paths[1]);
  await appendFile(paths[0], "more");
  await expect(source.read(0, 1)).rejects.toThrow(/file 0 has 14 bytes now, it had 10/);
  await pool.close();
});

test("FilePool closes no file that is being read", async () => {
  const pool = new FilePool({ mostOpen: 1 });
  const sources: ByteSource[] = [];
  for (const path of paths) sources.push(await pool.source(path));
  const order = Array.from({ length: 300 }, (_, i) => (i * i + (i >> 3)) % paths.length);
  const reads = await Promise.all(order.map(async (i) => (await sources[i].read(0, 1))[0]));
  expect(reads).toEqual(order);
  expect((await openNow()) ?? 1).toBe(1);
  await pool.close();
});
