import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../linalg/random.ts";
import { checkSwaps, movesOf } from "./exchange.ts";
import type { Edge, Family } from "./families.ts";
import { makePlan, type PlanOrder } from "./make-plan.ts";

const families: Family[] = [
  { smaller: [0], larger: [0, 1] },
  { smaller: [], larger: [2] },
  { smaller: [1], larger: [] },
  { smaller: [2, 3], larger: [3] },
  { smaller: [], larger: [4] },
  { smaller: [4], larger: [] },
  { smaller: [], larger: [5] },
];
const pair = {
  smaller: { location: "small", hash: null, latents: 5 },
  larger: { location: "large", hash: null, latents: 6 },
};
const edges: Edge[] = [
  { smaller: 0, larger: 0, cosine: 0.75 },
  { smaller: 0, larger: 1, cosine: 0.8 },
  { smaller: 2, larger: 3, cosine: 0.95 },
  { smaller: 3, larger: 3, cosine: 0.71 },
];

/** Index into `families` of every step. */
function orderOf(order: PlanOrder): number[] {
  return makePlan(pair, families, order).steps.map(({ remove, insert }) =>
    families.findIndex(({ smaller, larger }) => smaller === remove && larger === insert),
  );
}

describe("makePlan()", () => {
  test("by cosine puts the least similar novel latent and the most similar family first", () => {
    const cosine = [0.75, 0.8, 0.5, 0.95, 0.3, 0.4];
    expect(orderOf({ kind: "cosine", cosine, edges })).toEqual([4, 6, 1, 3, 0, 2, 5]);
  });

  test("by gain puts what improves most first in each phase, and what was not measured last", () => {
    const deltaMse = [-3, -1, Number.NaN, -4, -2, 4, -3];
    expect(orderOf({ kind: "gain", deltaMse })).toEqual([6, 4, 1, 3, 0, 5, 2]);
  });

  test("by gain inserts lone latents that gain nothing, or never fired, after the families", () => {
    const deltaMse = [-3, -1, 5, -4, 2, 4, Number.NaN];
    expect(orderOf({ kind: "gain", deltaMse })).toEqual([1, 3, 0, 4, 6, 5, 2]);
  });

  test("at random shuffles within each phase, by the seed", () => {
    const shuffled = (seed: number) => orderOf({ kind: "random", random: seededRandom(seed) });
    expect(shuffled(1)).toEqual(shuffled(1));
    const seen = new Set(Array.from({ length: 200 }, (_, seed) => shuffled(seed).join(" ")));
    expect(seen.size).toBe(6 * 2 * 2);
    for (const order of seen) expect(order).toMatch(/^[146] [146] [146] [03] [03] [25] [25]$/);
  });

  test("notes what each step is", () => {
    const deltaMse = families.map((_, f) => f - 1.5);
    const { steps } = makePlan(pair, families, { kind: "gain", deltaMse });
    expect(steps.map(({ note }) => note)).toEqual([
      "novel",
      "family of 3: 1 out, 2 in",
      "family of 3: 2 out, 1 in",
      "without counterpart",
      "without counterpart",
      "without counterpart",
      "without counterpart",
    ]);
  });

  test("moves every latent once, whatever the families and the order", () => {
    const partition = (latents: number) =>
      fc.array(fc.integer({ min: 0, max: 7 }), { minLength: latents, maxLength: latents });
    fc.assert(
      fc.property(
        partition(5),
        partition(6),
        fc.constantFrom("cosine", "gain", "random"),
        (ofSmaller, ofLarger, kind) => {
          const members = (of: number[], f: number) => [...of.keys()].filter((latent) => of[latent] === f);
          const any = [0, 1, 2, 3, 4, 5, 6, 7]
            .map((f) => ({ smaller: members(ofSmaller, f), larger: members(ofLarger, f) }))
            .filter(({ smaller, larger }) => smaller.length + larger.length > 0);
          const random = seededRandom(3);
          const evidence: Record<typeof kind, PlanOrder> = {
            cosine: { kind: "cosine", cosine: ofLarger.map(random), edges },
            gain: { kind: "gain", deltaMse: any.map(() => random() - 0.5) },
            random: { kind: "random", random },
          };
          const { steps } = makePlan(pair, any, evidence[kind]);
          checkSwaps(steps, { smaller: 5, larger: 6 });
          expect([...movesOf(steps)]).toHaveLength(11);
          const phases = steps.map(({ remove, insert, note }) => {
            if (insert.length === 0) return 3;
            if (remove.length > 0) return 1;
            return note?.startsWith("novel") ? 0 : 2;
          });
          expect(phases).toEqual([...phases].sort());
        },
      ),
    );
  });
});
