import { expect, test } from "vitest";
import { seededRandom, shuffle } from "./random.ts";

test("shuffle() gives every order equally often", () => {
  const random = seededRandom(3);
  const counts = new Map<string, number>();
  for (let draw = 0; draw < 6000; draw++) {
    const order = shuffle(Int32Array.of(1, 2, 3), random).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(["123", "132", "213", "231", "312", "321"]);
  // 1000 each, with a standard deviation of 29.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("shuffle() works in place", () => {
  const items = ["a", "b", "c", "d"];
  expect(shuffle(items, seededRandom(1))).toBe(items);
  expect([...items].sort()).toEqual(["a", "b", "c", "d"]);
});
