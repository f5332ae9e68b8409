import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { transformWithOxc } from "vite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeAtomically } from "./write-atomically.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-write-atomically-"));
  path = join(folder, "out.bin");
});
afterEach(() => rm(folder, { recursive: true }));

const bytes = (...values: number[]) => Uint8Array.from(values);

test("writeAtomically() writes all chunks in order and leaves nothing else", async () => {
  await writeAtomically(path, [bytes(1, 2), bytes(), bytes(3)]);
  expect([...(await readFile(path))]).toEqual([1, 2, 3]);
  expect(await readdir(folder)).toEqual(["out.bin"]);
});

test("writeAtomically() takes chunks as they are made", async () => {
  await writeAtomically(
    path,
    (async function* () {
      yield bytes(1);
      // Until the last chunk is written the file does not exist, and what there is has a name of its own.
      expect((await readdir(folder)).map((name) => name.replace(/\..*\./, ".…."))).toEqual(["out.….tmp"]);
      yield bytes(2);
    })(),
  );
  expect([...(await readFile(path))]).toEqual([1, 2]);
});

test("writeAtomically() replaces a file", async () => {
  await writeFile(path, "what was there before, which is longer");
  await writeAtomically(path, [bytes(9)]);
  expect([...(await readFile(path))]).toEqual([9]);
});

describe("on failure writeAtomically() leaves the file before it, no other, and says why", () => {
  test.each([
    ["", "the source broke off", "the source broke off"],
    ["ENOSPC", "ENOSPC: no space left on device, write", "the disk is full"],
    ["EDQUOT", "EDQUOT: disk quota exceeded, write", "the disk quota is used up"],
  ])("when the chunks stop with %s", async (code, message, said) => {
    await writeFile(path, "before");
    const cause = Object.assign(new Error(message), { code });
    const failing = (function* () {
      yield bytes(1, 2, 3);
      throw cause;
    })();
    const error = (await writeAtomically(path, failing).catch((e) => e)) as Error;
    expect(error.message).toBe(`Cannot write ${path}: ${said}`);
    expect(error.cause).toBe(cause);
    expect(await readFile(path, "utf8")).toBe("before");
    expect(await readdir(folder)).toEqual(["out.bin"]);
  });

  test("when two writers use one path and one fails", async () => {
    const failing = (async function* () {
      yield bytes(1);
      await writeAtomically(path, [bytes(2)]);
      throw new Error("too late");
    })();
    await expect(writeAtomically(path, failing)).rejects.toThrow("too late");
    expect([...(await readFile(path))]).toEqual([2]);
    expect(await readdir(folder)).toEqual(["out.bin"]);
  });

  test("when the folder does not exist", async () => {
    const absent = join(folder, "absent", "out.bin");
    await expect(writeAtomically(absent, [])).rejects.toThrow(
      `Cannot write ${absent}: its folder does not exist`,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  test("when the path is a folder", async () => {
    await mkdir(path);
    await expect(writeAtomically(path, [bytes(1)])).rejects.toThrow(`Cannot write ${path}: it is a folder`);
    expect(await readdir(folder)).toEqual(["out.bin"]);
  });

  // The shell's limit on the size of files stands in for a full disk: both show as a write that fails half-way.
  test.skipIf(process.platform === "win32")("when the system takes only a part of the bytes", async () => {
    await writeFile(path, "before");
    const source = new URL("write-atomically.ts", import.meta.url);
    const { code } = await transformWithOxc(await readFile(source, "utf8"), source.pathname);
    const script = join(folder, "child.mjs");
    await writeFile(
      script,
      `${code}
      const chunks = Array.from({ length: 64 }, () => new Uint8Array(4096).fill(7));
      await writeAtomically(process.argv[2], chunks).then(() => console.log("written"), (e) => console.log(e.message));`,
    );
    const limited = 'ulimit -f 32 && exec "$0" "$1" "$2"';
    const { stdout } = await promisify(execFile)("sh", ["-c", limited, process.execPath, script, path]);
    expect(stdout).toBe(`Cannot write ${path}: the file is larger than the system allows\n`);
    expect(await readFile(path, "utf8")).toBe("before");
    expect((await readdir(folder)).sort()).toEqual(["child.mjs", "out.bin"]);
  });
});
