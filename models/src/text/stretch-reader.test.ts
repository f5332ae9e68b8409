import { bytesSource } from "@saestitch/core";
import { expect, test } from "vitest";
import { stretchReader } from "./stretch-reader.ts";

test("stretchReader() reads its stretch once, in growing pieces, and nothing else", async () => {
  const bytes = Uint8Array.from({ length: 6 * 2 ** 20 }, (_, i) => (i * 7 + (i >> 10)) % 251);
  const source = bytesSource("a", bytes);
  const ranges: [number, number][] = [];
  const [start, end] = [1000, bytes.length - 1000];
  const reader = stretchReader(
    {
      ...source,
      read(from, to) {
        ranges.push([from, to]);
        return source.read(from, to);
      },
    },
    start,
    end,
  );
  let at = start;
  for (const count of [1, 5000, 700_000, 900_000, 1, 2_500_000, 3, 4_000_000]) {
    const held = await reader.peek(count);
    const seen = Math.min(count, end - at);
    expect(held.subarray(0, seen).every((byte, i) => byte === bytes[at + i])).toBe(true);
    reader.skip(seen);
    at += seen;
    expect(reader.left).toBe(end - at);
  }
  expect(at).toBe(end);
  expect((await reader.peek(1)).length).toBe(0);
  expect(ranges).toHaveLength(3);
  for (const [i, [from, to]] of ranges.entries()) {
    expect(from).toBe(i === 0 ? start : ranges[i - 1][1]);
    expect(to - from).toBeLessThanOrEqual(2 ** (20 + i));
  }
  expect(ranges.at(-1)![1]).toBe(end);
});
