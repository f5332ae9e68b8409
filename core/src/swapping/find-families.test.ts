import fc from "fast-check";
import { expect, test } from "vitest";
import type { Edge, Family } from "./families.ts";
import { findFamilies } from "./find-families.ts";

/** Components by breadth-first search from every larger latent, then from every smaller one not yet met. */
function plainFamilies(edges: readonly Edge[], mSmaller: number, mLarger: number): Family[] {
  const met = new Set<string>();
  const families: Family[] = [];
  const starts = [
    ...Array.from({ length: mLarger }, (_, j) => `larger ${j}`),
    ...Array.from({ length: mSmaller }, (_, i) => `smaller ${i}`),
  ];
  for (const start of starts) {
    if (met.has(start)) continue;
    met.add(start);
    const queue = [start];
    for (let at = 0; at < queue.length; at++)
      for (const { smaller, larger } of edges) {
        const ends = [`smaller ${smaller}`, `larger ${larger}`];
        if (!ends.includes(queue[at])) continue;
        for (const end of ends) if (!met.has(end)) queue.push(end);
        for (const end of ends) met.add(end);
      }
    const side = (name: string) =>
      queue
        .filter((node) => node.startsWith(name))
        .map((node) => Number(node.split(" ")[1]))
        .sort((a, b) => a - b);
    families.push({ smaller: side("smaller"), larger: side("larger") });
  }
  return families;
}

test("findFamilies() gives the components that a breadth-first search finds, in the stated order", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 12 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 25 }),
      (mSmaller, mLarger, drawn) => {
        const pairs = mSmaller === 0 || mLarger === 0 ? [] : drawn;
        const edges = pairs.map(([a, b]) => ({ smaller: a % mSmaller, larger: b % mLarger, cosine: 1 }));
        expect(findFamilies(edges, mSmaller, mLarger)).toEqual(plainFamilies(edges, mSmaller, mLarger));
      },
    ),
  );
});

test("findFamilies() puts every latent into exactly one family", () => {
  const edges = [
    { smaller: 2, larger: 3, cosine: 0.9 },
    { smaller: 0, larger: 3, cosine: 0.8 },
    { smaller: 0, larger: 1, cosine: 0.8 },
  ];
  expect(findFamilies(edges, 4, 5)).toEqual([
    { smaller: [], larger: [0] },
    { smaller: [0, 2], larger: [1, 3] },
    { smaller: [], larger: [2] },
    { smaller: [], larger: [4] },
    { smaller: [1], larger: [] },
    { smaller: [3], larger: [] },
  ]);
});

test("findFamilies() follows a chain of a hundred thousand latents", () => {
  const edges = Array.from({ length: 100_000 }, (_, i) => ({
    smaller: i >> 1,
    larger: (i + 1) >> 1,
    cosine: 1,
  })).reverse();
  const families = findFamilies(edges, 50_000, 50_001);
  expect(families).toHaveLength(1);
  expect(families[0].larger).toHaveLength(50_001);
});
