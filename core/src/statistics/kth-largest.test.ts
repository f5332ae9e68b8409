import fc from "fast-check";
import { expect, test } from "vitest";
import { kthLargest } from "./kth-largest.ts";

test("kthLargest() is what sorting finds, with many equal values too", () => {
  const values = fc.oneof(
    fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 60 }),
    fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 1, maxLength: 60 }),
  );
  fc.assert(
    fc.property(values, fc.nat(), (drawn, position) => {
      const k = 1 + (position % drawn.length);
      const sorted = Float32Array.from(drawn).sort().reverse();
      const given = Float32Array.from(drawn);
      expect(kthLargest(given, k)).toBe(sorted[k - 1]);
      expect(given).toEqual(Float32Array.from(drawn));
    }),
  );
});

test("kthLargest() refuses a k beyond the values", () => {
  expect(() => kthLargest(Float32Array.of(1, 2), 3)).toThrow("Cannot take the 3-th largest of 2 values");
  expect(() => kthLargest(Float32Array.of(1, 2), 0)).toThrow(RangeError);
});
