import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import {
  codeOf,
  plainObjective,
  poolOf,
  randomCode,
  randomTokens,
} from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { UnsupportedError } from "../errors.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { type Random, seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix } from "../tensor/matrix.ts";
import { DictionaryFit } from "./dictionary-fit.ts";
import { type GreedyOptions, type GreedyReport, selectGreedily } from "./greedy-selection.ts";
import type { PooledTokens } from "./half-sample.ts";
import type { LatentPool } from "./latent-pool.ts";

async function select(
  { pool, tokens }: { readonly pool: LatentPool; readonly tokens: PooledTokens },
  options: GreedyOptions & { readonly start?: readonly number[] },
): Promise<{ latents: number[]; report: GreedyReport; fit: DictionaryFit }> {
  const fit = new DictionaryFit(pool, tokens);
  for (const id of options.start ?? []) fit.toggle(id);
  let report: GreedyReport | undefined;
  for await (const progress of selectGreedily(fit, kernels, options))
    if (progress.phase === "done") report = progress.report();
  return { latents: Array.from(fit.latents()), report: report!, fit };
}

/** Directions in the positive orthant and no bias: what one latent writes lowers the gain of every other. */
function shrinkingProblem(random: Random, latents: number) {
  const positive = randomMatrix(random, latents, 6);
  for (let at = 0; at < positive.values.length; at++) positive.values[at] = Math.abs(positive.values[at]);
  const pool = poolOf(random, [positive]);
  const tokens = randomTokens(random, pool, 60, 0.2);
  for (let at = 0; at < tokens.target.values.length; at++) tokens.target.values[at] = 2 * random();
  return { pool, tokens: { ...tokens, outputScale: new Float32Array(60) } };
}

describe("selectGreedily()", () => {
  test("picks lazily what looking at every candidate anew would pick, with fewer looks", async () => {
    let looks = 0;
    let plainLooks = 0;
    for (let seed = 0; seed < 5; seed++) {
      const { pool, tokens } = shrinkingProblem(seededRandom(seed), 40);
      const counts = denseCode(tokens.code).reduce(
        (sum, row) => sum.map((c, j) => c + (row[j] > 0 ? 1 : 0)),
        new Array<number>(40).fill(0),
      );
      const [most, entries] = [10, Math.floor(1.6 * 60)];
      const chosen: number[] = [];
      const spent = () => chosen.reduce((sum, id) => sum + counts[id], 0);
      for (;;) {
        if (chosen.length === most) break;
        const before = plainObjective(tokens, pool, chosen);
        const scores = counts.map((count, id) => {
          if (chosen.includes(id) || count === 0 || spent() + count > entries)
            return Number.NEGATIVE_INFINITY;
          const gain = before - plainObjective(tokens, pool, [...chosen, id]);
          return gain <= 0
            ? Number.NEGATIVE_INFINITY
            : gain / (1 / (most - chosen.length) + count / (entries - spent()));
        });
        const best = scores.indexOf(Math.max(...scores));
        if (scores[best] === Number.NEGATIVE_INFINITY) break;
        chosen.push(best);
      }
      const { latents, report } = await select(
        { pool, tokens },
        { latents: most, l0: 1.6, exchangeRounds: 0 },
      );
      // What greedy insertion chose may lose members to pruning, in both ways alike only if nothing is pruned.
      expect(report.left).toBe(0);
      expect(latents).toEqual(chosen.toSorted((a, b) => a - b));
      looks += report.evaluations;
      plainLooks += report.plainEvaluations;
    }
    expect(looks).toBeLessThan(plainLooks);
  });

  test("keeps within every budget, ends with nothing to gain where there is room, and reports what it did", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
        fc.option(fc.double({ min: 0.1, max: 4, noNaN: true }), { nil: undefined }),
        async (seed, latents, l0) => {
          const random = seededRandom(seed);
          const pool = poolOf(random, [randomMatrix(random, 8, 5), randomMatrix(random, 6, 5)]);
          const tokens = randomTokens(random, pool, 40, 0.3 * random());
          const candidates = Int32Array.from({ length: 14 }, (_, id) => id).filter(() => random() < 0.8);
          const {
            latents: chosen,
            report,
            fit,
          } = await select(
            { pool, tokens },
            {
              candidates,
              exchangeShare: 0.3,
              ...(latents !== undefined && { latents }),
              ...(l0 !== undefined && { l0 }),
            },
          );
          expect(chosen.length).toBeLessThanOrEqual(latents ?? 14);
          expect(report.entries).toBeLessThanOrEqual((l0 ?? 14) * 40 * (1 + 1e-9));
          expect(chosen.every((id) => candidates.includes(id) && fit.firings(id) > 0)).toBe(true);
          const plain = plainObjective(tokens, pool, chosen);
          const scale = plainObjective(tokens, pool, []);
          expect(Math.abs(report.objective - plain)).toBeLessThan(1e-5 * scale);
          expect(report.objective).toBeLessThanOrEqual(scale * (1 + 1e-5));
          // Taking one out never helps.
          for (const id of chosen)
            expect(
              plainObjective(
                tokens,
                pool,
                chosen.filter((other) => other !== id),
              ),
            ).toBeGreaterThan(plain - 1e-5 * scale);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("never chooses a latent and its copy", async () => {
    const random = seededRandom(5);
    const decoder = randomMatrix(random, 6, 8);
    const pool = poolOf(random, [decoder, decoder]);
    const half = denseCode(randomCode(random, 50, 6, 0.3));
    const code = codeOf(
      half.map((row) => [...row, ...row]),
      12,
    );
    const target = await written(decoder, codeOf(half, 6));
    const tokens = { ...randomTokens(random, pool, 50), target, code };
    const { latents, report } = await select({ pool, tokens }, {});
    expect(latents.map((id) => id % 6).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(report.objective).toBeLessThan(1e-6 * plainObjective(tokens, pool, []));
    expect(report.largestGainLeft).toBeLessThan(1e-3);
  });

  test("lets a latent of the start leave that does harm", async () => {
    const random = seededRandom(6);
    const decoder = randomMatrix(random, 4, 8);
    const pool = poolOf(random, [decoder, decoder]);
    const half = denseCode(randomCode(random, 50, 4, 0.4));
    const tokens = {
      ...randomTokens(random, pool, 50),
      target: await written(decoder, codeOf(half, 4)),
      code: codeOf(
        half.map((row) => [...row, ...row]),
        8,
      ),
    };
    const { latents, report } = await select({ pool, tokens }, { start: [0, 1, 4, 5] });
    expect(report.left).toBeGreaterThanOrEqual(2);
    expect(latents.map((id) => id % 4).sort()).toEqual([0, 1, 2, 3]);
  });

  test("finds the planted dictionary among noisy copies and directions that mean nothing", async () => {
    const random = seededRandom(7);
    const truth = randomMatrix(random, 10, 24);
    const noisy = { ...truth, values: truth.values.map((value, at) => value + 0.5 * Math.sin(7 * at)) };
    const pool = poolOf(random, [noisy, truth, randomMatrix(random, 10, 24)]);
    const real = denseCode(randomCode(random, 200, 10, 0.15));
    const nothing = denseCode(randomCode(random, 200, 10, 0.15));
    const tokens = {
      ...randomTokens(random, pool, 200),
      target: await written(truth, codeOf(real, 10)),
      code: codeOf(
        real.map((row, i) => [...row, ...row, ...nothing[i]]),
        30,
      ),
    };
    const { latents } = await select({ pool, tokens }, { latents: 10 });
    expect(latents).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  test("gets out of a first choice that stands in the way, by exchange", async () => {
    let improved = 0;
    for (let seed = 0; seed < 10; seed++) {
      const random = seededRandom(seed);
      const pool = poolOf(random, [randomMatrix(random, 24, 4)]);
      const tokens = randomTokens(random, pool, 60, 0.25);
      const without = await select({ pool, tokens }, { latents: 8, exchangeRounds: 0 });
      const rounds = await select({ pool, tokens }, { latents: 8, exchangeShare: 0.5 });
      expect(rounds.report.objective).toBeLessThanOrEqual(without.report.objective * (1 + 1e-6));
      if (rounds.report.rounds.kept > 0) improved++;
    }
    expect(improved).toBeGreaterThan(0);
  });

  test("refuses a budget that its start exceeds or that is no budget, and says what can be met", async () => {
    const { pool, tokens } = shrinkingProblem(seededRandom(1), 5);
    await expect(select({ pool, tokens }, { start: [0, 1, 2], latents: 2 })).rejects.toThrow(
      /2 latents cannot be met from a start of 3: give at least 3/,
    );
    await expect(select({ pool, tokens }, { start: [0, 1, 2], l0: 0.01 })).rejects.toThrow(/whose L0 is \d/);
    for (const budget of [{ latents: 0 }, { latents: 1.5 }, { l0: 0 }, { l0: Number.NaN }])
      await expect(select({ pool, tokens }, budget)).rejects.toThrow(UnsupportedError);
  });

  test("chooses fewer where no more fire or gain", async () => {
    const problem = shrinkingProblem(seededRandom(2), 5);
    const { latents } = await select(problem, { latents: 1000 });
    expect(latents.length).toBeLessThanOrEqual(5);
  });
});

async function written(decoder: Matrix, code: PooledTokens["code"]): Promise<Matrix> {
  const { rows } = code;
  const nothing = matrix(rows, decoder.columns, new Float32Array(rows * decoder.columns));
  return kernels.decode(code, decoder, nothing, 1);
}
