import { expect, test } from "vitest";
import { row } from "../tensor/matrix.ts";
import { composedDirections } from "./composed-directions.ts";

test("composedDirections() are of length 1 and lie in the cone of the hidden directions they name", () => {
  const { hidden, directions, parts } = composedDirections(3, { count: 40, hidden: 6, d: 12, parts: [1, 3] });
  expect(new Set(parts.map(({ length }) => length))).toEqual(new Set([1, 2, 3]));
  parts.forEach((named, i) => {
    const direction = row(directions, i);
    expect(Math.hypot(...direction)).toBeCloseTo(1, 5);
    if (named.length > 1) return;
    row(hidden, named[0]).forEach((value, c) => {
      expect(direction[c]).toBeCloseTo(value, 5);
    });
  });
});

test("composedDirections() of one seed are the same, of another not", () => {
  expect(composedDirections(1)).toEqual(composedDirections(1));
  expect(composedDirections(1).directions).not.toEqual(composedDirections(2).directions);
});
