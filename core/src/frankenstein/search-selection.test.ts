import { describe, expect, test } from "vitest";
import { plainObjective, poolOf, randomTokens } from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { restrictCode } from "./restrict-code.ts";
import { type FoundSelection, type SearchOptions, searchSelection } from "./search-selection.ts";

function problem(seed: number) {
  const random = seededRandom(seed);
  const pool = poolOf(
    random,
    [6, 10, 10, 14].map((latents) => randomMatrix(random, latents, 5)),
  );
  return { pool, tokens: randomTokens(random, pool, 80, 0.2) };
}

async function search(
  { pool, tokens }: ReturnType<typeof problem>,
  options: SearchOptions,
): Promise<FoundSelection> {
  const steps = searchSelection(tokens, pool, kernels, options);
  for (;;) {
    const step = await steps.next();
    if (step.done) return step.value;
  }
}

describe("searchSelection()", () => {
  test("begins with nothing and with each of the largest SAEs that fit, and does as well as the best of them", async () => {
    for (let seed = 0; seed < 5; seed++) {
      const found = await search(problem(seed), { latents: 12, l0: 2 });
      expect(new Set(found.trials.map(({ sae }) => sae))).toEqual(new Set([null, 1, 2]));
      for (const { latents, l0, objective } of found.trials) {
        expect(latents).toBeLessThanOrEqual(12);
        expect(l0).toBeLessThanOrEqual(2);
        expect(found.report.objective).toBeLessThanOrEqual(objective * (1 + 1e-6));
      }
      const { pool, tokens } = problem(seed);
      const everything = Int32Array.from({ length: 40 }, (_, id) => id);
      const code = restrictCode(tokens, pool, everything, found.floor);
      expect(code.indices.filter((id) => found.latents.includes(id))).toHaveLength(found.report.entries);
      expect(
        found.report.objective / plainObjective({ ...tokens, code }, pool, [...found.latents]),
      ).toBeCloseTo(1, 5);
    }
  });

  test("has no floor without a budget of L0, and only the beginnings asked for", async () => {
    const found = await search(problem(1), { latents: 12, start: { kind: "sae", sae: 0 } });
    expect(found.trials.map(({ sae, floor }) => [sae, floor])).toEqual([[0, 0]]);
    const empty = await search(problem(1), { latents: 12, start: { kind: "empty" }, saes: 2 });
    expect(empty.trials.map(({ sae }) => sae)).toEqual([null]);
    expect(Math.max(...empty.latents)).toBeLessThan(16);
  });

  test("refuses a beginning that is not there or too large, and says what can be met", async () => {
    await expect(search(problem(1), { latents: 12, start: { kind: "sae", sae: 3 } })).rejects.toThrow(
      /start of 14: give at least 14/,
    );
    await expect(search(problem(1), { saes: 2, start: { kind: "sae", sae: 2 } })).rejects.toThrow(
      /from 2 SAEs/,
    );
  });
});
