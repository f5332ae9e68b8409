import { describe, expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { plainResidual, plainRows, poolOf, randomTokens } from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import type { PooledTokens } from "./half-sample.ts";
import { type RefitProgress, refitDecoder } from "./refit-decoder.ts";

const [n, k, d] = [120, 9, 5];

/** Random tokens over k latents, of which the last never fires. */
function problem(seed: number) {
  const random = seededRandom(seed);
  const pool = poolOf(random, [randomMatrix(random, k, d)]);
  const tokens = randomTokens(random, pool, n, 0.3);
  const kept = Array.from(tokens.code.indices.keys()).filter((entry) => tokens.code.indices[entry] !== k - 1);
  const dense = denseCode(tokens.code);
  const offsets = Int32Array.from({ length: n + 1 }, (_, i) =>
    dense.slice(0, i).reduce((sum, active) => sum + active.slice(0, k - 1).filter((f) => f > 0).length, 0),
  );
  const code = {
    ...tokens.code,
    offsets,
    indices: Int32Array.from(kept, (entry) => tokens.code.indices[entry]),
    values: Float32Array.from(kept, (entry) => tokens.code.values[entry]),
  };
  return { directions: pool.directions, tokens: { ...tokens, code } };
}

async function run(seed: number, options?: Parameters<typeof refitDecoder>[3]) {
  const { directions, tokens } = problem(seed);
  const states: (Pick<RefitProgress, "iteration" | "sse"> & { directions: number[][]; bias: number[] })[] =
    [];
  for await (const { iteration, sse, decoder } of refitDecoder(tokens, directions, kernels, options))
    states.push({
      iteration,
      sse,
      directions: plainRows(decoder.directions),
      bias: Array.from(decoder.bias),
    });
  return { directions, tokens, states, last: states[states.length - 1] };
}

function squaredError(tokens: PooledTokens, directions: number[][], bias: number[]): number {
  return plainResidual(tokens, directions, bias)
    .flat()
    .reduce((sum, value) => sum + value * value, 0);
}

/** Directions of the latents that fire, then the bias: the solution of the normal equations, by elimination. */
function leastSquares({ target, outputScale, code }: PooledTokens): number[][] {
  const features = denseCode(code).map((active, i) => [...active.slice(0, k - 1), outputScale[i]]);
  const system = Array.from({ length: k }, (_, a) => [
    ...Array.from({ length: k }, (_, b) => features.reduce((sum, f) => sum + f[a] * f[b], 0)),
    ...Array.from({ length: d }, (_, c) => features.reduce((sum, f, i) => sum + f[a] * row(target, i)[c], 0)),
  ]);
  for (let p = 0; p < k; p++)
    for (let a = 0; a < k; a++) {
      if (a === p) continue;
      const factor = system[a][p] / system[p][p];
      system[a] = system[a].map((value, b) => value - factor * system[p][b]);
    }
  return system.map((equation, a) => equation.slice(k).map((value) => value / equation[a]));
}

describe("refitDecoder()", () => {
  test("finds the least-squares directions and bias", async () => {
    for (const seed of [1, 2, 3]) {
      const { tokens, last } = await run(seed, { tolerance: 1e-12, iterations: 200 });
      const best = leastSquares(tokens);
      for (let c = 0; c < d; c++) {
        for (let j = 0; j < k - 1; j++) expect(last.directions[j][c]).toBeCloseTo(best[j][c], 2);
        expect(last.bias[c]).toBeCloseTo(best[k - 1][c], 2);
      }
      const least = squaredError(
        tokens,
        [...best.slice(0, k - 1), new Array<number>(d).fill(0)],
        best[k - 1],
      );
      expect(last.sse / least).toBeCloseTo(1, 5);
    }
  });

  test("lowers the squared error with every iteration, and tells it right", async () => {
    const { tokens, states } = await run(4);
    expect(states.length).toBeGreaterThan(3);
    states.forEach(({ iteration, sse, directions, bias }, i) => {
      expect(iteration).toBe(i);
      expect(sse / squaredError(tokens, directions, bias)).toBeCloseTo(1, 5);
      if (i > 0) expect(sse).toBeLessThanOrEqual(states[i - 1].sse);
    });
  });

  test("starts at the given directions, keeps that of a latent that never fires, and stops when told to", async () => {
    const { directions, states, last } = await run(5, { iterations: 2 });
    expect(states[0].directions).toEqual(plainRows(directions));
    expect(last.iteration).toBe(2);
    expect(last.directions[k - 1]).toEqual(plainRows(directions)[k - 1]);
    const { states: unchanged } = await run(5, { iterations: 0 });
    expect(unchanged).toHaveLength(1);
  });
});
