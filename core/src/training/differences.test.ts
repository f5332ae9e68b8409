import { expect, test } from "vitest";
import { differences } from "./differences.ts";

test("differences() finds what changed, came and went, at any depth", () => {
  const left = { a: 1, list: [1, { b: "x" }], gone: true };
  const right = { a: 2, list: [1, { b: "y" }, 3] };
  expect(differences(left, right)).toEqual([
    { path: "a", left: "1", right: "2" },
    { path: "list.1.b", left: '"x"', right: '"y"' },
    { path: "list.2", left: "nothing", right: "3" },
    { path: "gone", left: "true", right: "nothing" },
  ]);
});

test("differences() of equal values are none", () => {
  expect(differences({ a: [1, null], b: {} }, { a: [1, null], b: {} })).toEqual([]);
});
