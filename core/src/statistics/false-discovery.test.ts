import fc from "fast-check";
import { expect, test } from "vitest";
import golden from "../../../fixtures/statistics/false-discovery.json" with { type: "json" };
import { benjaminiHochberg } from "./false-discovery.ts";

test("benjaminiHochberg() rejects what scipy's adjusted p-values reject", () => {
  for (const { p, rate, rejected } of golden.cases)
    expect([...benjaminiHochberg(Float64Array.from(p), rate)]).toEqual(rejected);
});

test("benjaminiHochberg() leaves NaN p-values out of the count", () => {
  const nan = Number.NaN;
  expect([...benjaminiHochberg(Float64Array.of(nan, 0.04, nan, 0.9, nan), 0.1)]).toEqual([0, 1, 0, 0, 0]);
  expect([...benjaminiHochberg(Float64Array.of(1, 0.04, 1, 0.9, 1), 0.1)]).toEqual([0, 0, 0, 0, 0]);
  expect([...benjaminiHochberg(Float64Array.of(nan, nan), 0.5)]).toEqual([0, 0]);
  expect(benjaminiHochberg(new Float64Array(0), 0.5)).toHaveLength(0);
});

test("benjaminiHochberg() rejects the largest set whose every p is at most (its size / tests) · rate", () => {
  const probability = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom(0, 0.01, 0.02, 0.05, 1, Number.NaN),
  );
  fc.assert(
    fc.property(
      fc.array(probability, { maxLength: 30 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (p, rate) => {
        const tested = p.filter((value) => !Number.isNaN(value));
        let size = 0;
        for (let k = 1; k <= tested.length; k++)
          if (tested.filter((value) => value <= (k / tested.length) * rate).length >= k) size = k;
        const limit = (size / tested.length) * rate;
        const plain = p.map((value) => (size > 0 && value <= limit ? 1 : 0));
        expect([...benjaminiHochberg(Float64Array.from(p), rate)]).toEqual(plain);
      },
    ),
  );
});
