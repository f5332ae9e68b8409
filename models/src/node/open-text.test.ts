import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError, FormatError, UnsupportedError } from "@saestitch/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { realData } from "../../../core/test-support/real-data.ts";
import { openText } from "./open-text.ts";

const data = realData();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "text-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

describe("openText()", () => {
  test("opens a file, and names it for hashing", async () => {
    const path = await write("a.txt", "one\n\ntwo");
    const text = await openText(path);
    expect(text).toMatchObject({ location: path, files: [path] });
    expect(await collect(text.documents())).toEqual(["one", "two"]);
    await text.close();
    await expect(collect(text.documents())).rejects.toThrow("has been closed");
  });

  test("opens a folder of files of one kind in natural order", async () => {
    for (const i of [10, 9, 1]) await write(`part-${i}.jsonl`, `"${i}"`);
    await write("README.md", "about");
    await mkdir(join(folder, "inner.jsonl"));
    const text = await openText(folder);
    expect(text.files).toEqual([1, 9, 10].map((i) => join(folder, `part-${i}.jsonl`)));
    expect(await collect(text.documents())).toEqual(["1", "9", "10"]);
  });

  test("refuses what is not there, and says what is there instead", async () => {
    await expect(openText(join(folder, "none.txt"))).rejects.toThrow("there is no such file or folder");
    await expect(openText(await write("a.csv", "a,b"))).rejects.toThrow(/Cannot read \S*a\.csv as text: /);
    const empty = openText(folder);
    await expect(empty).rejects.toThrow(FormatError);
    await expect(empty).rejects.toThrow(/holds no text: expected text .* found a\.csv$/);
    await write("b.txt", "b");
    await write("c.jsonl", '"c"');
    await expect(openText(folder)).rejects.toThrow("files of several kinds (.txt, .jsonl)");
  });

  test("refuses a configuration or split of a file", async () => {
    const path = await write("a.txt", "one");
    await expect(openText(path, { splitName: "train" })).rejects.toThrow(UnsupportedError);
    await expect(openText(path, { config: "en" })).rejects.toThrow("only data sets of the hub have them");
  });

  test("rejects when the text is empty or not UTF-8", async () => {
    await expect(collect((await openText(await write("a.txt", ""))).documents())).rejects.toThrow(DataError);
    const latin = await openText(await write("b.txt", Buffer.from("caf\u00e9 noir", "latin1")));
    await expect(collect(latin.documents())).rejects.toThrow("b.txt is not UTF-8 text: its byte 4, 0x20");
  });

  test.skipIf(!data.isThere)("reads the thousand stories", async () => {
    const text = await openText(join(data.folder, "../tinystories/tinystories_1000.json"));
    const stories = await collect(text.documents());
    expect(stories).toHaveLength(1000);
    expect(stories[0].slice(0, 43)).toBe("One day, a little girl named Lily found a n");
  });
});
