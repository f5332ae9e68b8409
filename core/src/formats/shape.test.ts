import { expect, test } from "vitest";
import { FormatError, ShapeError } from "../errors.ts";
import { byteRange, countElements, describeShape } from "./shape.ts";

test("countElements() multiplies the sizes", () => {
  expect([[], [3], [3, 4], [3, 0, 2 ** 52]].map((shape) => countElements(shape, "x"))).toEqual([1, 3, 12, 0]);
});

test.each([[[-1]], [[0.5]], [["3"]], [[null]], [[2 ** 53]], [[2 ** 27, 2 ** 27]], [[Number.NaN]]])(
  "countElements() refuses %j",
  (shape) => {
    expect(() => countElements(shape, "x")).toThrow(FormatError);
  },
);

test("byteRange() is where the rows lie", () => {
  expect(byteRange({}, [3, 4], 96, "x")).toEqual([0, 96]);
  expect(byteRange({ rows: [1, 3] }, [3, 4], 96, "x")).toEqual([32, 96]);
  expect(byteRange({ rows: [0, 0] }, [0, 4], 0, "x")).toEqual([0, 0]);
  expect(byteRange({}, [], 8, "x")).toEqual([0, 8]);
});

test("byteRange() refuses rows that are not there", () => {
  expect(() => byteRange({ rows: [1, 4] }, [3, 4], 96, "x.npy")).toThrow(
    new ShapeError("Cannot read rows 1 to 4 of x.npy: it has 3 rows"),
  );
  expect(() => byteRange({ rows: [0, 1] }, [], 8, "x.npy")).toThrow(ShapeError);
});

test("describeShape() shortens what is long", () => {
  expect(describeShape([])).toBe("[]");
  expect(describeShape([3, 4])).toBe("[3, 4]");
  expect(describeShape(Array(9).fill(1))).toBe("[1, 1, 1, 1, 1, 1, 1, 1, …]");
});
