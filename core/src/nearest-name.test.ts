import fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearestName, nearestNames } from "./nearest-name.ts";

test("editDistance() counts insertions, deletions, substitutions and swaps", () => {
  expect(editDistance("label", "label")).toBe(0);
  expect(editDistance("lable", "label")).toBe(1);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("kitten", "sitting")).toBe(3);
});

test("editDistance() is symmetric, and at most the longer length", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

test("nearestName() knows near names and beginnings, and says nothing of far ones", () => {
  const names = ["inspect", "label", "demo"];
  expect(nearestName("lable", names)).toBe("label");
  expect(nearestName("insp", names)).toBe("inspect");
  expect(nearestName("quux", names)).toBeUndefined();
  expect(nearestName("", names)).toBeUndefined();
});

test("nearestNames() lists the nearest first, and no more than asked for", () => {
  const names = ["hook_resid_mid", "hook_resid_pre", "hook_mlp_out", "hook_resid_post"];
  expect(nearestNames("hook_resid_pst", names, 2)).toEqual(["hook_resid_post", "hook_resid_pre"]);
  expect(nearestNames("hook_resid_pst", names, 9)).toEqual([
    "hook_resid_post",
    "hook_resid_pre",
    "hook_resid_mid",
  ]);
});
