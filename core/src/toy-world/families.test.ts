import { expect, test } from "vitest";
import { seededRandom } from "../linalg/random.ts";
import { drawFamilies, featuresOf } from "./families.ts";

const families = drawFamilies(seededRandom(3));

test("drawFamilies() gives every feature to exactly one family", () => {
  const owners = families.flatMap(({ variants }) => featuresOf(variants));
  expect(owners).toEqual(Array.from({ length: owners.length }, (_, i) => i));
});

test("drawFamilies() names a specific feature in one variant only, beside general ones", () => {
  for (const { variants } of families) {
    const specifics = variants.flatMap(({ specific }) => specific?.feature ?? []);
    const generals = new Set(variants.flatMap((variant) => variant.generals));
    expect(new Set(specifics).size).toBe(specifics.length);
    expect(specifics.some((feature) => generals.has(feature))).toBe(false);
    for (const variant of variants) expect(variant.generals.length).toBeGreaterThan(0);
  }
});

test("drawFamilies() gives shares that sum to 1 and, within a kind, rates that fall with rank", () => {
  for (const { variants } of families)
    expect(variants.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
  for (let f = 1; f < families.length; f++)
    if (families[f].kind === families[f - 1].kind)
      expect(families[f].rate).toBeLessThan(families[f - 1].rate);
});
