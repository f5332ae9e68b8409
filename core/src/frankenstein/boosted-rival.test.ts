import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainForward } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import type { CodedSample, ResidualReading } from "../codes/coded-sample.ts";
import { UnsupportedError } from "../errors.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { type Random, seededRandom } from "../linalg/random.ts";
import { encode, residual } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import { type Matrix, matrix, row } from "../tensor/matrix.ts";
import { makeToyWorld } from "../toy-world/toy-world.ts";
import type { RivalRow } from "./compare-contenders.ts";
import { readEvaluationHalf } from "./half-sample.ts";
import { poolLatents, whose } from "./latent-pool.ts";
import { stitchLatents } from "./stitch-latents.ts";

const d = 6;
const kinds = ["relu", "jumprelu", "topk", "batchtopk", "gated"];
const seed = 3;

/** One token through `chain`, each SAE reading what the one before leaves, in plain float64 but for the rounding of what is read. */
function plainChain(chain: readonly Sae[], x: number[]) {
  let left = x;
  let active = 0;
  let margin = Number.POSITIVE_INFINITY;
  for (const sae of chain) {
    const [forward] = plainForward(sae, matrix(1, d, Float32Array.from(left)));
    left = left.map((value, c) => value - forward.reconstruction[c]);
    active += forward.code.filter((f) => f > 0).length;
    margin = Math.min(margin, forward.margin);
  }
  return { squares: left.reduce((sum, value) => sum + value * value, 0), active, margin };
}

/** Random tokens on which no SAE of the chain takes a decision that a rounded sum could turn. */
function decidedTokens(random: Random, chain: readonly Sae[], n: number): Matrix {
  const x = randomMatrix(random, n, d, 1.5);
  const rows = Array.from({ length: n }, (_, i) => [...row(x, i)]).filter(
    (token) => plainChain(chain, token).margin > 1e-4,
  );
  return matrix(rows.length, d, Float32Array.from(rows.flat()));
}

async function plainChainOnHeldOut(chain: readonly Sae[], coded: CodedSample) {
  let squares = 0;
  let active = 0;
  let tokens = 0;
  for await (const { activations } of readEvaluationHalf(coded, poolLatents(coded.saes), { seed }))
    for (let i = 0; i < activations.rows; i++) {
      const token = plainChain(chain, [...row(activations, i)]);
      squares += token.squares;
      active += token.active;
      tokens++;
    }
  return { mse: squares / (tokens * d), l0: active / tokens };
}

const boosted = (rows: readonly RivalRow[], refit: string) =>
  rows.find((r) => r.method === "boosted" && r.refit === refit)!;

describe("a boosted SAE among the rivals", () => {
  const drawn = fc.record({
    world: fc.integer(),
    host: fc.nat(kinds.length - 1),
    boosting: fc.nat(kinds.length - 1),
  });

  test("has the error and the L0 of its passes one after the other, as trained", async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ world, host, boosting }) => {
        const random = seededRandom(world);
        const make = (latents: number, kind: number) =>
          randomSae(random, d, latents, { activation: everyActivation(random, latents)[kind] });
        const [first, other, last] = [make(5, host), make(8, 0), make(7, boosting)];
        const source = activationsInMemory(decidedTokens(random, [first, last], 40));
        const coded = codeSample([first, other, last], source, kernels, {
          residualOf: [undefined, undefined, 0],
        });
        const { comparison, pool } = await stitchLatents(coded, kernels, { latents: 6, seed });
        const expected = await plainChainOnHeldOut([first, last], coded);
        const found = boosted(comparison.rows, "none");
        expect(found).toMatchObject({ sae: 2, latents: 12, matching: "free", floor: 0 });
        expect(found.l0).toBeCloseTo(expected.l0, 9);
        expect(found.mse / expected.mse).toBeCloseTo(1, 4);
        for (const { latents } of comparison.dictionaries.filter(
          (_, i) => comparison.rows[i].method !== "boosted",
        ))
          expect(Array.from(latents, (id) => whose(pool, id).sae)).not.toContain(2);
      }),
      { numRuns: 20 },
    );
  });

  test("may be boosted again by an SAE that reads what it leaves", async () => {
    const random = seededRandom(11);
    const chain = [4, 5, 6].map((latents) => randomSae(random, d, latents));
    const source = activationsInMemory(decidedTokens(random, chain, 60));
    const residualOf: ResidualReading = [undefined, 0, 1];
    const coded = codeSample(chain, source, kernels, { residualOf });
    const { comparison } = await stitchLatents(coded, kernels, { latents: 4, seed });
    const rows = comparison.rows.filter(({ method, refit }) => method === "boosted" && refit === "none");
    for (const [i, length] of [2, 3].entries()) {
      const expected = await plainChainOnHeldOut(chain.slice(0, length), coded);
      expect(rows[i].latents).toBe([9, 15][i]);
      expect(rows[i].l0).toBeCloseTo(expected.l0, 9);
      expect(rows[i].mse / expected.mse).toBeCloseTo(1, 4);
    }
    expect(rows[1].notes.join()).toContain("3 encoders");
  });

  test("improves on its host when it finds what that misses, and meets the others at equal L0", async () => {
    const { smaller, larger, source } = makeToyWorld({ documents: 60, d: 64 });
    const fast = await createWasmKernels();
    const missed = await unexplained(smaller, larger);
    const coded = codeSample([smaller, missed], source, fast, { residualOf: [undefined, 0] });
    const [few, both] = [smaller.decoder.rows, smaller.decoder.rows + missed.decoder.rows];
    const stitched = (latents: number) =>
      stitchLatents(coded, fast, { latents, l0: 3, exchangeRounds: 0, seed });
    const notes = "2 encoders, each reading what the one before leaves: not one ordinary SAE";

    const atHost = await stitched(few);
    const { rows, curves } = atHost.comparison;
    const trained = rows.filter(({ method }) => method === "trained");
    expect(trained.map(({ sae, refit }) => [sae, refit])).toEqual([
      [0, "none"],
      [0, "bias"],
      [0, "decoder"],
    ]);
    expect(boosted(rows, "none").mse).toBeLessThan(0.9 * trained[0].mse);
    expect(boosted(rows, "bias").matching).toBe("lowered");
    expect(boosted(rows, "bias").l0).toBeGreaterThan(2.7);
    expect(boosted(rows, "bias").l0).toBeLessThan(3.3);
    expect(boosted(rows, "decoder").latents).toBe(both);
    expect(boosted(rows, "bias").notes).toEqual([`${both} latents, not ${few}`, notes]);
    expect(curves.filter(({ method }) => method === "boosted").map(({ sae }) => sae)).toEqual([1]);
    expect(atHost.search.latents.every((id) => whose(atHost.pool, id).sae === 0)).toBe(true);
    expect(boosted((await stitched(both)).comparison.rows, "bias").notes).toEqual([notes]);
  });

  test("gives none of its latents to the others, even when asked to", async () => {
    const random = seededRandom(2);
    const saes = [randomSae(random, d, 4), randomSae(random, d, 5)];
    const source = activationsInMemory(randomMatrix(random, 20, d));
    const coded = codeSample(saes, source, kernels, { residualOf: [undefined, 0] });
    const action = stitchLatents(coded, kernels, { latents: 3, candidates: 2 });
    await expect(action).rejects.toThrow(UnsupportedError);
    await expect(action).rejects.toThrow("number 1, counted from 0, reads what another leaves");
  });
});

/** The latents of `larger` whose directions no latent of `host` has, as an SAE over what `host` leaves: their inputs are there as they were. */
async function unexplained(host: Sae, larger: Sae): Promise<Sae> {
  const width = larger.decoder.columns;
  const directions = larger.decoder;
  const encoding = await encode(host, directions, kernels);
  const left = await residual(host, directions, encoding, kernels);
  const share = (j: number) => Math.hypot(...row(left, j)) / Math.hypot(...row(directions, j));
  const missed = Array.from({ length: directions.rows }, (_, j) => j).filter((j) => share(j) > 0.9);
  const take = (m: Matrix) =>
    matrix(missed.length, width, Float32Array.from(missed.flatMap((j) => [...row(m, j)])));
  return {
    ...larger,
    encoder: take(larger.encoder),
    decoder: take(larger.decoder),
    encoderBias: Float32Array.from(missed, (j) => larger.encoderBias[j]),
    decoderBias: new Float32Array(width),
    inputBias: new Float32Array(width),
  };
}
