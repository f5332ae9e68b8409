import { expect, test } from "vitest";
import { FormatError } from "../errors.ts";
import { bytesSource } from "./bytes-source.ts";

test("bytesSource() reads exactly the bytes asked for, into memory of its own", async () => {
  const bytes = Uint8Array.of(9, 0, 1, 2, 3, 9).subarray(1, 5);
  const source = bytesSource("four", bytes);
  expect([source.name, source.byteLength]).toEqual(["four", 4]);
  const read = await source.read(1, 3);
  expect([...read]).toEqual([1, 2]);
  read.fill(99);
  expect([...bytes]).toEqual([0, 1, 2, 3]);
  expect((await source.read(4, 4)).length).toBe(0);
});

test.each([
  [0, 5],
  [-1, 2],
  [3, 2],
  [0.5, 2],
  [0, Number.NaN],
])("bytesSource() refuses the range %d to %d of four bytes", async (start, end) => {
  await expect(bytesSource("four", new Uint8Array(4)).read(start, end)).rejects.toThrow(
    new FormatError(`Cannot read bytes ${start} to ${end} of four: it has 4 bytes`),
  );
});
