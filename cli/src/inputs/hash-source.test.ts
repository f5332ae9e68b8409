import { createHash } from "node:crypto";
import { bytesSource } from "@saestitch/core";
import { expect, test } from "vitest";
import { hashOfHashes, hashSource } from "./hash-source.ts";

test("hashSource() is the sha256 of all bytes, also of more than one chunk, and reports them", async () => {
  const bytes = new Uint8Array(20_000_001).map((_, i) => i * 7);
  let reported = 0;
  const hash = await hashSource(bytesSource("x", bytes), {
    onBytes: (count) => {
      reported += count;
    },
  });
  expect(hash).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(reported).toBe(bytes.length);
  expect(await hashSource(bytesSource("empty", new Uint8Array(0)))).toMatch(/^e3b0c44298fc/);
});

test("hashOfHashes() is the sha256 of what sha256sum prints, in the order of names", () => {
  const files = [
    { name: "b", sha256: "11" },
    { name: "a", sha256: "22" },
  ];
  const expected = createHash("sha256").update("22  a\n11  b\n").digest("hex");
  expect(hashOfHashes(files)).toBe(expected);
  expect(hashOfHashes(files.toReversed())).toBe(expected);
});
