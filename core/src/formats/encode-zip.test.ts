import { afterEach, expect, test, vi } from "vitest";
import { whole } from "../../test-support/whole.ts";
import { encodeZip, type ZipEntry } from "./encode-zip.ts";

const entry = (name: string, ...parts: readonly number[][]): ZipEntry => ({
  name,
  byteLength: parts.flat().length,
  chunks: parts.map((part) => Uint8Array.from(part)),
});

const entries = [
  entry("a/first", [1, 2, 3], [4]),
  entry("second"),
  entry("third", [251, 252, 253, 254, 255]),
];

afterEach(() => {
  vi.useRealTimers();
});

/** Where in `bytes` the run begins; −1 when nowhere. */
function find(bytes: Uint8Array, run: readonly number[]): number {
  return bytes.findIndex((_, at) => run.every((value, i) => bytes[at + i] === value));
}

test("encodeZip() stores entries as they are, from a multiple of 64 bytes on", async () => {
  const bytes = await whole(encodeZip(entries));
  for (const run of [
    [1, 2, 3, 4],
    [251, 252, 253, 254, 255],
  ]) {
    expect(find(bytes, run)).toBeGreaterThan(0);
    expect(find(bytes, run) % 64).toBe(0);
  }
});

test("encodeZip() gives the same bytes for the same entries, at any time", async () => {
  const first = await whole(encodeZip(entries));
  vi.useFakeTimers({ toFake: ["Date"], now: new Date(2001, 2, 3) });
  expect(await whole(encodeZip(entries))).toEqual(first);
});

test("encodeZip() rejects with what goes wrong in an entry", async () => {
  function* broken() {
    yield Uint8Array.of(1);
    throw new RangeError("broken entry");
  }
  const archive = encodeZip([...entries, { name: "broken", byteLength: 2, chunks: broken() }]);
  await expect(whole(archive)).rejects.toThrow("broken entry");
});

test("encodeZip() takes no more of an entry than is asked for", async () => {
  let taken = 0;
  function* long() {
    for (; taken < 1000; taken++) yield new Uint8Array(2 ** 16);
  }
  for await (const _ of encodeZip([{ name: "long", byteLength: 1000 * 2 ** 16, chunks: long() }])) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(taken).toBeLessThan(50);
});
