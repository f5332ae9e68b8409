import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainObjective, poolOf, randomTokens } from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { DictionaryFit } from "./dictionary-fit.ts";

const latents = 8;

function problem(seed: number) {
  const random = seededRandom(seed);
  const pool = poolOf(random, [randomMatrix(random, 5, 6), randomMatrix(random, 3, 6)]);
  const tokens = randomTokens(random, pool, 30);
  for (let at = 0; at < tokens.target.values.length; at++) tokens.target.values[at] += 3;
  return { pool, tokens };
}

describe("DictionaryFit", () => {
  test("keeps the objective, and every gain is the difference that a toggle makes, computed from scratch", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.nat(latents - 1), { maxLength: 12 }),
        async (seed, toggles) => {
          const { pool, tokens } = problem(seed);
          const fit = new DictionaryFit(pool, tokens);
          const chosen = new Set<number>();
          const flip = (id: number) => {
            if (!chosen.delete(id)) chosen.add(id);
          };
          const scale = plainObjective(tokens, pool, []);
          expect(Math.abs(fit.objective - scale)).toBeLessThan(1e-5 * scale);
          for (const id of toggles) {
            fit.toggle(id);
            flip(id);
          }
          const before = plainObjective(tokens, pool, [...chosen]);
          expect(Math.abs(fit.objective - before)).toBeLessThan(1e-5 * scale);
          expect(Array.from(fit.latents())).toEqual([...chosen].sort((a, b) => a - b));
          expect(fit.size).toBe(chosen.size);
          expect(fit.entries).toBe([...chosen].reduce((sum, id) => sum + fit.firings(id), 0));
          const gains = await fit.allGains(kernels);
          for (let id = 0; id < latents; id++) {
            flip(id);
            const gain = before - plainObjective(tokens, pool, [...chosen]);
            flip(id);
            expect(Math.abs(fit.gain(id) - gain)).toBeLessThan(1e-5 * scale);
            expect(Math.abs(gains[id] - gain)).toBeLessThan(1e-5 * scale);
          }
          expect(Math.abs(fit.renewObjective() - before)).toBeLessThan(1e-5 * scale);
        },
      ),
      { numRuns: 25 },
    );
  });

  test("leaves the tokens it was given alone", () => {
    const { pool, tokens } = problem(3);
    const before = tokens.target.values.slice();
    new DictionaryFit(pool, tokens).toggle(2);
    expect(tokens.target.values).toEqual(before);
  });
});
