import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FormatError } from "../errors.ts";
import { openFile } from "./file-source.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-file-source-"));
  path = join(folder, "ten bytes");
  await writeFile(path, Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
});
afterEach(() => rm(folder, { recursive: true }));

test("openFile() reads exactly the bytes asked for", async () => {
  const file = await openFile(path);
  expect(file.name).toBe(path);
  expect(file.byteLength).toBe(10);
  expect([...(await file.read(3, 7))]).toEqual([3, 4, 5, 6]);
  expect([...(await file.read(0, 10))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect((await file.read(10, 10)).length).toBe(0);
  await file.close();
});

test("openFile() hands out memory of its own at each read", async () => {
  const file = await openFile(path);
  (await file.read(0, 4)).fill(99);
  expect([...(await file.read(0, 4))]).toEqual([0, 1, 2, 3]);
  await file.close();
});

test.each([
  [0, 11],
  [-1, 4],
  [5, 4],
  [0.5, 2],
  [0, 2 ** 53],
  [Number.NaN, 4],
])("openFile() refuses the range %d to %d of ten bytes", async (start, end) => {
  const file = await openFile(path);
  const error: Error = await file.read(start, end).catch((e) => e);
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toBe(`Cannot read bytes ${start} to ${end} of ${path}: it has 10 bytes`);
  await file.close();
});

test("openFile() tells when the file was cut after it was opened", async () => {
  const file = await openFile(path);
  await truncate(path, 6);
  const error: Error = await file.read(4, 9).catch((e) => e);
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toContain("it ends at 6");
  await file.close();
});

test("openFile() names a missing file and keeps the cause", async () => {
  const error: Error = await openFile(join(folder, "absent")).catch((e) => e);
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toBe(`Cannot open ${join(folder, "absent")}: there is no such file or folder`);
  expect(error.cause).toMatchObject({ code: "ENOENT" });
});

test("openFile() refuses a folder", async () => {
  await expect(openFile(folder)).rejects.toThrow(FormatError);
});

test("openFile() rejects reads after close()", async () => {
  const file = await openFile(path);
  await file.close();
  await expect(file.read(0, 1)).rejects.toThrow();
});
