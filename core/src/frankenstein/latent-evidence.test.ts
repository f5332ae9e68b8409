import { expect, test } from "vitest";
import { poolOf, randomTokens } from "../../test-support/pooled-tokens.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Dictionary, fitBias, fitDecoder, measureDictionaries } from "./dictionary.ts";
import type { EvaluationBatch } from "./half-sample.ts";
import { measureEvidence } from "./latent-evidence.ts";
import { directionsOf } from "./latent-pool.ts";

const random = seededRandom(2);
const pool = poolOf(random, [randomMatrix(random, 6, 5), randomMatrix(random, 4, 5)]);
const tokens = randomTokens(random, pool, 400);

async function* batches(): AsyncGenerator<EvaluationBatch> {
  const copy = { ...tokens.target, values: tokens.target.values.slice() };
  yield { ...tokens, target: copy, activations: copy, end: 400 };
}

const latents = Int32Array.from([0, 3, 4, 7, 9]);
const plainChoice = fitBias({ latents, directions: directionsOf(pool, latents), floor: 0.2 }, pool, tokens);

test("measureEvidence() gives each latent the ΔMSE of putting it into the dictionary without it", async () => {
  for (const dictionary of [plainChoice, await fitDecoder(plainChoice, pool, tokens, kernels)]) {
    const without = Array.from(latents, (_, p): Dictionary => {
      const directions = { ...dictionary.directions, values: dictionary.directions.values.slice() };
      directions.values.fill(0, p * 5, (p + 1) * 5);
      return { ...dictionary, directions };
    });
    const [whole, ...rest] = await measureDictionaries([dictionary, ...without], pool, batches(), kernels);
    const evidence = await measureEvidence(dictionary, pool, batches(), kernels);
    rest.forEach(({ mse }, p) => {
      expect(Math.abs(evidence.deltaMse[p] - (whole.mse - mse))).toBeLessThan(1e-6 * whole.mse);
      expect(evidence.fired[p]).toBeCloseTo(whole.density[p] * 400, 6);
      if (evidence.verdict[p] === "novel") expect(evidence.deltaMse[p]).toBeLessThan(0);
      if (evidence.verdict[p] === "reconstruction") expect(evidence.deltaMse[p]).toBeGreaterThan(0);
    });
    expect(evidence.documents).toBe(200);
    const byToken = await measureEvidence(dictionary, pool, batches(), kernels, { unit: "token" });
    expect(byToken.documents).toBe(400);
  }
});

test("fitDecoder() explains the tokens it was fitted to better than fitBias(), which beats any other bias", async () => {
  const fitted = await fitDecoder(plainChoice, pool, tokens, kernels);
  const shifted = { ...plainChoice, bias: plainChoice.bias.map((value) => value + 0.05) };
  const [biased, decoded, other] = await measureDictionaries(
    [plainChoice, fitted, shifted],
    pool,
    batches(),
    kernels,
  );
  expect(decoded.mse).toBeLessThan(biased.mse);
  expect(biased.mse).toBeLessThan(other.mse);
  expect(decoded.l0).toBe(biased.l0);
});
