import { FormatError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { jsonDocuments, jsonLineDocuments } from "./json-text.ts";

async function* inPieces(text: string, size = 3): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const lines = (text: string, column?: string) =>
  collect(jsonLineDocuments(inPieces(text), "rows.jsonl", column === undefined ? {} : { column }));
const file = (text: string, column?: string) =>
  collect(jsonDocuments(inPieces(text), "rows.json", column === undefined ? {} : { column }));

describe("jsonLineDocuments()", () => {
  test("gives strings, and the text of objects", async () => {
    const text = '"a\\nb"\r\n{"id": 1, "text": "é 😀"}\n\n{"text": null}\n{"text": " "}\n{"text": "last"}';
    expect(await lines(text)).toEqual(["a\nb", "é 😀", "last"]);
    expect(await lines('{"id": 1, "story": "once"}\n', "story")).toEqual(["once"]);
    expect(await lines("")).toEqual([]);
  });

  test.each([
    ['"a"\n{"text": "b"\n', "rows.jsonl, line 2, is not JSON ("],
    ["broken\n", "line 1, is not JSON (Unexpected token"],
    ["broken\n", '), it holds "broken"'],
    ['"a"\n\n3\n', 'line 3, holds 3, expected a string, or an object with a string as its "text"'],
    ["null\n", "line 1, holds null"],
    ['["a"]', "line 1, holds an array of 1"],
    ['{"text": ["a"]}', 'line 1, has an array of 1 as its "text", expected a string'],
    ['{"id": 1, "texts": "a"}', 'line 1, has no column "text"; its columns are: texts, id'],
    ["{}", 'has no column "text"; its columns are: none'],
    ['{"toString": 1}', 'has no column "text"'],
  ])("refuses %j", async (text, reason) => {
    const reading = lines(text);
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(reason);
  });

  test("takes no column that every object has for one of the file", async () => {
    await expect(lines('{"text": "a"}', "toString")).rejects.toThrow('has no column "toString"');
    expect(await lines('{"__proto__": "a"}', "__proto__")).toEqual(["a"]);
  });
});

describe("jsonDocuments()", () => {
  test("reads an array of strings or objects", async () => {
    expect(await file(' \n[\n "a",\n {"text": "b"}, "", {"text": null}\n]')).toEqual(["a", "b"]);
    expect(await file("[]")).toEqual([]);
    expect(await file('[{"story": "once"}]', "story")).toEqual(["once"]);
  });

  test("reads JSON lines, too", async () => {
    expect(await file('\n{"text": "a"}\n{"text": "b"}\n')).toEqual(["a", "b"]);
    expect(await file(" \n ")).toEqual([]);
  });

  test.each([
    ['["a", 3]', "rows.json, entry 1, holds 3"],
    ['["a", {"txt": "b"}]', 'rows.json, entry 1, has no column "text"; its columns are: txt'],
    ['["a"', "rows.json is not JSON ("],
  ])("refuses %j", async (text, reason) => {
    const reading = file(text);
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(reason);
  });
});
