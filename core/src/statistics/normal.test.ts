import fc from "fast-check";
import { expect, test } from "vitest";
import golden from "../../../fixtures/statistics/normal.json" with { type: "json" };
import { normalQuantile, normalTail } from "./normal.ts";

test("normalTail() agrees with 60-digit arithmetic to 1e-12 relative, down to 1e-298", () => {
  const errors = golden.tail.z.map((z, i) => Math.abs(normalTail(z) / golden.tail.p[i] - 1));
  expect(Math.min(...golden.tail.p)).toBeLessThan(1e-298);
  expect(Math.max(...errors)).toBeLessThan(1e-12);
});

test("normalTail() is even, 1 at 0, 0 at infinity and NaN for NaN", () => {
  expect(normalTail(-1.5)).toBe(normalTail(1.5));
  expect(normalTail(0)).toBe(1);
  expect(normalTail(Number.NEGATIVE_INFINITY)).toBe(0);
  expect(normalTail(Number.NaN)).toBeNaN();
});

test("normalTail() falls without a step where the series hands over to the continued fraction", () => {
  for (let z = 2.4; z < 2.6; z += 1e-4) expect(normalTail(z + 1e-4)).toBeLessThan(normalTail(z));
});

test("normalQuantile() agrees with scipy to 1e-13", () => {
  const errors = golden.quantile.p.map((p, i) => Math.abs(normalQuantile(p) - golden.quantile.z[i]));
  expect(Math.max(...errors)).toBeLessThan(1e-13);
});

test("normalQuantile() is ∓Infinity at 0 and 1 and NaN outside", () => {
  expect([0, 1, -0.1, 1.1, Number.NaN].map(normalQuantile)).toEqual([
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    Number.NaN,
    Number.NaN,
  ]);
});

test("normalTail() undoes normalQuantile()", () => {
  fc.assert(
    fc.property(fc.double({ min: -690, max: -1, noNaN: true }), (logarithm) => {
      const p = Math.exp(logarithm);
      // The quantile's rounding alone moves the tail by |z| · ε · |z|.
      expect(Math.abs(normalTail(normalQuantile(p)) / (2 * p) - 1)).toBeLessThan(1e-12);
    }),
  );
});
