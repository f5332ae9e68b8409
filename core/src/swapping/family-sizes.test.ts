import { expect, test } from "vitest";
import type { Family } from "./families.ts";
import { familySizes } from "./family-sizes.ts";

/** `count` families of the given size; the numbers of the latents do not matter. */
function families(count: number, smaller: number, larger: number): Family[] {
  return Array.from({ length: count }, () => ({
    smaller: new Array<number>(smaller).fill(0),
    larger: new Array<number>(larger).fill(0),
  }));
}

test("familySizes() counts families by how many latents of either SAE they have, lone ones last", () => {
  const sizes = familySizes([
    ...families(40, 0, 1),
    ...families(30, 1, 1),
    ...families(2, 1, 3),
    ...families(5, 1, 0),
  ]);
  expect(sizes).toEqual({
    counts: [
      { smaller: 1, larger: 1, families: 30 },
      { smaller: 1, larger: 3, families: 2 },
      { smaller: 0, larger: 1, families: 40 },
      { smaller: 1, larger: 0, families: 5 },
    ],
    largest: 70,
    warning: null,
  });
});

test("familySizes() warns of a family that holds more than a tenth of either SAE", () => {
  expect(familySizes([...families(45, 1, 1), ...families(1, 5, 5)]).warning).toBeNull();
  expect(familySizes([...families(44, 1, 1), ...families(1, 6, 2)]).warning).toMatch(
    /6 of the 50 latents of the smaller SAE and 2 of the 46.*--cosine.*--rule evidence/,
  );
  expect(familySizes([...families(44, 1, 1), ...families(1, 2, 6)]).warning).toMatch(
    /6 of the 50 of the larger/,
  );
  expect(familySizes(families(3, 1, 1)).warning).toBeNull();
  expect(familySizes([])).toEqual({ counts: [], largest: null, warning: null });
});
