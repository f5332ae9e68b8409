import { expect, test } from "vitest";
import type { SparseCode } from "./sparse-code.ts";
import { splitColumns } from "./split-columns.ts";

const code: SparseCode = {
  rows: 3,
  columns: 6,
  offsets: Int32Array.of(0, 3, 3, 5),
  indices: Int32Array.of(0, 2, 5, 1, 2),
  values: Float32Array.of(1, 2, 3, 4, 5),
};

test("splitColumns() puts every entry into the one range that holds its column", () => {
  const [first, second, third] = splitColumns(code, [2, 3, 6]);
  expect(first).toEqual({
    code: {
      rows: 3,
      columns: 6,
      offsets: Int32Array.of(0, 1, 1, 2),
      indices: Int32Array.of(0, 1),
      values: Float32Array.of(1, 4),
    },
    entries: Int32Array.of(0, 3),
  });
  expect([...second.entries]).toEqual([1, 4]);
  expect([...second.code.offsets]).toEqual([0, 1, 1, 2]);
  expect([...third.code.values]).toEqual([3]);
});

test("splitColumns() gives a range without entries an empty part", () => {
  const [, none] = splitColumns(code, [3, 5, 6]);
  expect([...none.code.offsets]).toEqual([0, 0, 0, 0]);
  expect(none.entries).toHaveLength(0);
});
