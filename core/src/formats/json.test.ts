import { expect, test } from "vitest";
import { FormatError } from "../errors.ts";
import { describe, describeNames, parseJsonObject } from "./json.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

function refusal(bytes: Uint8Array, options = {}): string {
  let error: unknown;
  try {
    parseJsonObject(bytes, "cfg.json", options);
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message;
}

test("parseJsonObject() gives the object", () => {
  expect(parseJsonObject(utf8('{"d_in": 768, "name": "é"}\n'), "cfg.json")).toEqual({ d_in: 768, name: "é" });
  expect(parseJsonObject(utf8("\ufeff{}"), "cfg.json")).toEqual({});
});

test.each([
  ["", "cfg.json is not JSON"],
  ['{"a": 1', "cfg.json is not JSON"],
  ["{'a': 1}", "cfg.json is not JSON"],
  ["[1, 2]", "cfg.json holds an array of 2, expected a JSON object"],
  ["null", "cfg.json holds null, expected a JSON object"],
  ['"text"', 'cfg.json holds "text", expected a JSON object'],
  ["1", "cfg.json holds 1, expected a JSON object"],
])("parseJsonObject() refuses %j", (text, message) => {
  expect(refusal(utf8(text))).toContain(message);
});

test("parseJsonObject() says that NaN and Infinity are Python's", () => {
  for (const word of ["NaN", "Infinity", "-Infinity"]) {
    expect(refusal(utf8(`{"l0": ${word}}`))).toContain(
      "JSON has no NaN and no Infinity, which Python writes",
    );
  }
});

test("parseJsonObject() refuses bytes that are not UTF-8", () => {
  expect(refusal(Uint8Array.of(0x7b, 0xff, 0x7d))).toBe("cfg.json is not JSON: its bytes are not UTF-8 text");
});

test("parseJsonObject() refuses more bytes than are wanted", () => {
  expect(refusal(utf8('{"a": 1}'), { maxBytes: 7 })).toBe(
    "cfg.json has 8 bytes, expected a JSON object of at most 7",
  );
  expect(parseJsonObject(utf8('{"a": 1}'), "cfg.json", { maxBytes: 8 })).toEqual({ a: 1 });
});

test("parseJsonObject() keeps the key __proto__ as a key", () => {
  const parsed = parseJsonObject(utf8('{"__proto__": {"polluted": true}}'), "cfg.json");
  expect(Object.keys(parsed)).toEqual(["__proto__"]);
  expect("polluted" in parsed).toBe(false);
});

test("describe() puts any value into a few words", () => {
  let deep: unknown = [];
  for (let i = 0; i < 1e5; i++) deep = [deep];
  expect([deep, { a: 1 }, null, undefined, true, 0.5, 'a"b', "x".repeat(99)].map(describe)).toEqual([
    "an array of 1",
    "an object",
    "null",
    "undefined",
    "true",
    "0.5",
    '"a\\"b"',
    `"${"x".repeat(60)}…"`,
  ]);
});

test("describeNames() shows twenty names and counts the rest", () => {
  expect(describeNames([])).toBe("none");
  expect(describeNames(["a", "b"])).toBe("a, b");
  const names = Array.from({ length: 23 }, (_, i) => `n${i}`);
  expect(describeNames(names)).toBe(`${names.slice(0, 20).join(", ")} and 3 more`);
});
