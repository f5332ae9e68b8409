import { expect, test } from "vitest";
import { matrix } from "../tensor/matrix.ts";
import { columnSums, sumOfSquares } from "./norm.ts";

test("sumOfSquares() adds up in float64", () => {
  expect(sumOfSquares(new Float32Array(0))).toBe(0);
  expect(sumOfSquares(Float32Array.of(3, -4))).toBe(25);
  expect(sumOfSquares(Float32Array.of(2 ** 13, 2 ** -13))).toBe(2 ** 26 + 2 ** -26);
});

test("columnSums() adds up each column in float64", () => {
  const m = matrix(3, 2, Float32Array.of(1, 2 ** 25, 2, 1, -4, 1));
  expect(Array.from(columnSums(m))).toEqual([-1, 2 ** 25 + 2]);
  expect(Array.from(columnSums(matrix(0, 2, new Float32Array(0))))).toEqual([0, 0]);
});
