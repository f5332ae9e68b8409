import { describe, expect, test } from "vitest";
import { poolOf, randomTokens } from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { fitBias, fitDecoder, write } from "./dictionary.ts";
import { directionsOf } from "./latent-pool.ts";
import { type Beginning, exchangeUnderRefit, type RefitSelection } from "./refit-exchange.ts";
import { restrictCode } from "./restrict-code.ts";

const beginnings = [
  { name: "even", latents: Int32Array.from([0, 2, 4, 6, 8, 10]), floor: 0 },
  { name: "odd", latents: Int32Array.from([1, 3, 5, 7, 9]), floor: 0.3 },
];
const budget = { latents: 6, l0: 1.6 };

function problem(seed: number) {
  const random = seededRandom(seed);
  const pool = poolOf(random, [randomMatrix(random, 12, 5), randomMatrix(random, 12, 5)]);
  return { pool, tokens: randomTokens(random, pool, 100, 0.2) };
}

/** All states, the last of which is the result. */
async function exchange({ pool, tokens }: ReturnType<typeof problem>): Promise<RefitSelection[]> {
  const candidates = Int32Array.from({ length: 20 }, (_, id) => id);
  const rounds = exchangeUnderRefit(tokens, pool, kernels, beginnings, {
    ...budget,
    candidates,
    exchangeShare: 0.5,
  });
  const states: RefitSelection[] = [];
  for (;;) {
    const { done, value } = await rounds.next();
    states.push(value);
    if (done) return states;
  }
}

/** Squared error that the latents leave once their directions are fitted. */
async function refitError(
  { pool, tokens }: ReturnType<typeof problem>,
  { latents, floor }: Beginning,
): Promise<number> {
  const unfitted = { latents, directions: directionsOf(pool, latents), floor };
  const fitted = await fitDecoder(fitBias(unfitted, pool, tokens), pool, tokens, kernels);
  const { residual } = await write(fitted, pool, tokens, kernels);
  return residual.values.reduce((sum, value) => sum + value * value, 0);
}

describe("exchangeUnderRefit()", () => {
  test("lowers the error after the re-fit round by round, within the budget and the candidates", async () => {
    let improved = 0;
    for (let seed = 0; seed < 6; seed++) {
      const given = problem(seed);
      const { pool, tokens } = given;
      const states = await exchange(given);
      states.forEach(({ latents, floor, sse }, i) => {
        if (i > 0) expect(sse).toBeLessThanOrEqual(states[i - 1].sse);
        expect(latents.length).toBeLessThanOrEqual(budget.latents);
        expect(restrictCode(tokens, pool, latents, floor).indices.length).toBeLessThanOrEqual(
          budget.l0 * 100,
        );
        expect(Math.max(...latents)).toBeLessThan(20);
        expect(Array.from(latents)).toEqual(Array.from(new Set(latents)).sort((a, b) => a - b));
      });
      const last = states[states.length - 1];
      if (last.rounds.kept > 0) improved++;
      expect(Math.abs((await refitError(given, last)) / last.sse - 1)).toBeLessThan(1e-3);
      const errors = await Promise.all(beginnings.map((beginning) => refitError(given, beginning)));
      expect(states[0].name).toBe(errors[0] < errors[1] ? "even" : "odd");
    }
    expect(improved).toBeGreaterThan(2);
  });
});
