import { bytesSource, DataError, FormatError, UnsupportedError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { type TextFile, type TextOptions, textOfFiles } from "./text-files.ts";

function file(name: string, content: string | Uint8Array): TextFile & { closed: number } {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const made = {
    name,
    closed: 0,
    open: async () => ({ ...bytesSource(name, bytes), close: async () => void made.closed++ }),
  };
  return made;
}

const textOf = (files: readonly TextFile[], options: TextOptions = {}) =>
  textOfFiles(files, { location: "stories", ...options });

async function gzipped(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("textOfFiles()", () => {
  test("gives the documents of one file after the other, each time from the first on", async () => {
    const files = [
      file("a.txt", "one\n\ntwo\n"),
      file("b.txt", ""),
      file("c.JSONL", '"three"\n'),
      file("d.ndjson", '{"text": "four"}'),
      file("e.json", '["five"]'),
      file("f.txt.gz", await gzipped("six\n\nseven")),
      file("g.jsonl.gz", await gzipped('"eight"')),
    ];
    const text = textOf(files);
    const all = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    expect(await collect(text.documents())).toEqual(all);
    expect(await collect(text.documents())).toEqual(all);
    expect(files.map(({ closed }) => closed)).toEqual(files.map(() => 2));
  });

  test("reads a column of Parquet files", async () => {
    const files = [file("a.parquet", await readFixture("text/refused.parquet"))];
    expect(await collect(textOf(files, { column: "texts" }).documents())).toEqual(["a", "b"]);
  });

  test("splits plain text where it is told", async () => {
    const files = [file("a.txt", "one|two\n\nthree")];
    expect(await collect(textOf(files, { split: "|" }).documents())).toEqual(["one", "two\n\nthree"]);
  });

  test("reads a text of more than one piece", async () => {
    const long = "a line of text, é\n".repeat(150_000);
    const files = [file("a.txt", long), file("b.txt.gz", await gzipped(long))];
    const documents = await collect(textOf(files, { split: "document" }).documents());
    expect(documents.map((document) => document === long)).toEqual([true, true]);
  });

  test("closes a file that is not read to its end", async () => {
    for (const content of ["one\n\ntwo", await gzipped("one\n\ntwo")]) {
      const only = file(typeof content === "string" ? "a.txt" : "a.txt.gz", content);
      for await (const document of textOf([only]).documents()) {
        expect(document).toBe("one");
        break;
      }
      expect(only.closed).toBe(1);
    }
  });

  test("rejects when there is no document, naming the place", async () => {
    for (const files of [[], [file("a.txt", "")], [file("a.txt", " \n"), file("b.json", '[" "]')]]) {
      const reading = collect(textOf(files).documents());
      await expect(reading).rejects.toThrow(DataError);
      await expect(reading).rejects.toThrow("There is no text in stories");
    }
  });

  test("refuses files of other kinds, and Parquet within gzip", () => {
    for (const name of ["a.csv", "parquet", "a.gz", "a.parquet.gz"]) {
      expect(() => textOf([file(name, "")])).toThrow(FormatError);
      expect(() => textOf([file(name, "")])).toThrow(`Cannot read ${name} of stories as text: expected text`);
    }
  });

  test("refuses options that apply to nothing", () => {
    expect(() => textOf([file("a.txt", "")], { column: "text" })).toThrow(UnsupportedError);
    expect(() => textOf([file("a.txt", "")], { column: "text" })).toThrow("it is plain text");
    expect(() => textOf([file("a.jsonl", "")], { split: "line" })).toThrow("only plain text is split");
  });

  test("refuses gzip that is damaged or cut off", async () => {
    const whole = await gzipped("a text that is long enough ".repeat(100));
    for (const bytes of [new TextEncoder().encode("plain"), whole.subarray(0, -5), new Uint8Array(0)]) {
      const reading = collect(textOf([file("a.txt.gz", bytes)]).documents());
      await expect(reading).rejects.toThrow(FormatError);
      await expect(reading).rejects.toThrow("a.txt.gz is not a gzip file, or it is damaged or cut off");
    }
  });

  test("keeps the error of a file that cannot be read", async () => {
    const failing: TextFile = {
      name: "a.txt.gz",
      open: async () => ({ name: "a.txt.gz", byteLength: 9, read: () => Promise.reject(new Error("down")) }),
    };
    await expect(collect(textOf([failing]).documents())).rejects.toThrow(/^down$/);
  });

  test("reads nothing once it is closed", async () => {
    const text = textOf([file("a.txt", "one\n\ntwo")]);
    const documents = text.documents()[Symbol.asyncIterator]();
    await documents.next();
    await text.close();
    await expect(documents.next()).rejects.toThrow("Cannot read stories: it has been closed");
    await expect(collect(text.documents())).rejects.toThrow("it has been closed");
  });
});
