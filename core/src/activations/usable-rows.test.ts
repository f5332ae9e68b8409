import { expect, test } from "vitest";
import { matrix } from "../tensor/matrix.ts";
import { usableRows } from "./usable-rows.ts";

const batch = {
  start: 100,
  activations: matrix(4, 1, Float32Array.of(1, Number.NaN, Number.NEGATIVE_INFINITY, 4)),
  documentIds: Int32Array.of(7, 7, 8, 8),
};

test("usableRows() names the file, how many rows are not finite, and the first", () => {
  expect(() => usableRows(batch, "a.npy")).toThrow(/a\.npy: 2 of rows 100 to 104 .* row 101/);
});

test("usableRows() leaves excluded and non-finite rows out and counts each once", () => {
  const usable = usableRows({ ...batch, excluded: Uint8Array.of(1, 1, 0, 0) }, "a.npy", {
    skipNonFinite: true,
  });
  expect(Array.from(usable.activations.values)).toEqual([4]);
  expect(Array.from(usable.documentIds ?? [])).toEqual([8]);
  expect(usable).toMatchObject({ excluded: 2, nonFinite: 1, rows: Int32Array.of(103) });
});

test("usableRows() does not mind what an excluded row holds", () => {
  const usable = usableRows({ ...batch, excluded: Uint8Array.of(0, 1, 1, 0) }, "a.npy");
  expect(usable).toMatchObject({ excluded: 2, nonFinite: 0 });
});
