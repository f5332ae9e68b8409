import { expect, test } from "vitest";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import { randomMatrix } from "./random-arguments.conformance.ts";
import { orderMatches, unitRows, zeroRows } from "./webgpu-match.ts";

test("unitRows() scales rows to length 1 whatever their length, and leaves zero rows zero", () => {
  const rows = randomMatrix(seededRandom(1), 6, 11);
  row(rows, 1).fill(0);
  row(rows, 2).fill(3e-45);
  row(rows, 3).fill(3e38);
  const before = rows.values.slice();
  const unit = unitRows(rows);
  for (const i of [0, 2, 3, 4, 5]) expect(Math.hypot(...row(unit, i))).toBeCloseTo(1, 6);
  for (const i of [2, 3]) expect(row(unit, i)).toEqual(new Float32Array(11).fill(Math.sqrt(1 / 11)));
  expect(zeroRows(unit)).toEqual([false, true, false, false, false, false]);
  expect(rows.values).toEqual(before);
});

test("orderMatches() puts the best first, equal ones by index, and gives a row without any the first of all", () => {
  const code = {
    rows: 2,
    columns: 9,
    offsets: Int32Array.of(0, 3, 3),
    indices: Int32Array.of(2, 4, 8),
    values: Float32Array.of(-0.5, 0.25, 0.25),
  };
  const out = { count: 3, indices: new Int32Array(6), cosines: new Float32Array(6) };
  orderMatches(code, out);
  expect(Array.from(out.indices)).toEqual([4, 8, 2, 0, 1, 2]);
  expect(Array.from(out.cosines)).toEqual([0.25, 0.25, -0.5, 0, 0, 0]);
});
