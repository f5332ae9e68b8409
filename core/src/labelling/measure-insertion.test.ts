import { describe, expect, test } from "vitest";
import { documentsOf, measure } from "../../test-support/measure.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { encode, reconstruct } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { insertionEffect } from "./insertion-effect.ts";
import { pairSaes } from "./label.ts";

const d = 6;

/** Dense codes [n][m], one token at a time. */
async function denseCodes(sae: Sae, x: Matrix): Promise<number[][]> {
  const { contributions } = await encode(sae, x, kernels);
  return Array.from({ length: x.rows }, (_, i) => {
    const code = new Array<number>(sae.decoder.rows).fill(0);
    for (let e = contributions.offsets[i]; e < contributions.offsets[i + 1]; e++) {
      code[contributions.indices[e]] = contributions.values[e];
    }
    return code;
  });
}

/** Squared error of every token when the host writes x̂ plus `strength[i] · direction`. */
function squaredErrors(
  x: Matrix,
  output: Matrix,
  strength: number[],
  direction: ArrayLike<number>,
): number[] {
  return strength.map((f, i) => {
    let sum = 0;
    for (let k = 0; k < d; k++)
      sum += (x.values[i * d + k] - output.values[i * d + k] - f * direction[k]) ** 2;
    return sum;
  });
}

/** As {@link squaredErrors} after adding the mean residual to the output: the best bias. */
function squaredErrorsRefitted(
  x: Matrix,
  output: Matrix,
  strength: number[],
  direction: ArrayLike<number>,
): number[] {
  const mean = new Array<number>(d).fill(0);
  strength.forEach((f, i) => {
    for (let k = 0; k < d; k++)
      mean[k] += (x.values[i * d + k] - output.values[i * d + k] - f * direction[k]) / x.rows;
  });
  const shifted = { ...output, values: output.values.map((value, at) => value + mean[at % d]) };
  return squaredErrors(x, shifted, strength, direction);
}

const total = (values: number[]) => values.reduce((sum, value) => sum + value, 0);
const rowOf = (m: Matrix, i: number) => m.values.subarray(i * m.columns, (i + 1) * m.columns);

describe("measureInsertion()", () => {
  test.each([0, 1, 2, 3, 4])(
    "agrees with inserting every latent and re-running the host, activation %i",
    async (kind) => {
      const random = seededRandom(kind);
      const x = randomMatrix(random, 40, d);
      const smaller = randomSae(random, d, 8, { activation: everyActivation(random, 8)[kind] });
      const larger = randomSae(random, d, 13, { activation: everyActivation(random, 13)[kind] });
      const pair = await pairSaes(smaller, larger, kernels);
      const sums = await measure(pair, activationsInMemory(x));
      const output = await reconstruct(smaller, await encode(smaller, x, kernels), kernels);
      const codes = await denseCodes(larger, x);
      const meanResidual = sums.smaller.residual.map((value) => value / x.rows);
      const { deltaMse, scale } = insertionEffect(sums.insertion, larger.decoder, { meanResidual });
      const refitted = insertionEffect(sums.insertion, larger.decoder, { bias: "refit", meanResidual });
      const none = new Array<number>(x.rows).fill(0);
      for (let j = 0; j < 13; j++) {
        const strength = codes.map((code) => code[j]);
        const direction = rowOf(larger.decoder, j);
        const before = total(squaredErrors(x, output, none, direction));
        expect(deltaMse[j]).toBeCloseTo(
          (total(squaredErrors(x, output, strength, direction)) - before) / x.rows / d,
          7,
        );
        const refitBefore = total(squaredErrorsRefitted(x, output, none, direction));
        const refitAfter = total(squaredErrorsRefitted(x, output, strength, direction));
        expect(refitted.deltaMse[j]).toBeCloseTo((refitAfter - refitBefore) / x.rows / d, 7);
        if (strength.some((f) => f > 0)) {
          const scaled = (factor: number) =>
            total(
              squaredErrors(
                x,
                output,
                strength.map((f) => factor * f),
                direction,
              ),
            );
          const best = scaled(scale[j]);
          expect(scaled(scale[j] + 1e-2)).toBeGreaterThan(best);
          expect(scaled(scale[j] - 1e-2)).toBeGreaterThan(best);
          expect(deltaMse[j] < 0).toBe(scale[j] > 0.5);
        }
      }
    },
  );

  test("measures layer-normalised SAEs in the units of the input", async () => {
    const random = seededRandom(9);
    const x = randomMatrix(random, 30, d, 3);
    const smaller = randomSae(random, d, 8, { normalization: { kind: "layer-norm" } });
    const larger = randomSae(random, d, 10, { normalization: { kind: "unit-mean-square" } });
    const pair = await pairSaes(smaller, larger, kernels);
    const sums = await measure(pair, activationsInMemory(x));
    const { deltaMse } = insertionEffect(sums.insertion, larger.decoder, {
      meanResidual: sums.smaller.residual,
    });
    const output = await reconstruct(smaller, await encode(smaller, x, kernels), kernels);
    const codes = await denseCodes(larger, x);
    for (let j = 0; j < 10; j++) {
      const direction = rowOf(larger.decoder, j);
      const before = total(
        squaredErrors(
          x,
          output,
          codes.map(() => 0),
          direction,
        ),
      );
      const after = total(
        squaredErrors(
          x,
          output,
          codes.map((code) => code[j]),
          direction,
        ),
      );
      expect(deltaMse[j]).toBeCloseTo((after - before) / x.rows / d, 6);
    }
  });

  test("under joint gating equals one top-k over the host's latents and the inserted one", async () => {
    const random = seededRandom(4);
    const x = randomMatrix(random, 50, d);
    const k = 3;
    const smaller = randomSae(random, d, 9, { activation: { kind: "topk", k } });
    const larger = randomSae(random, d, 12, { activation: { kind: "topk", k } });
    const pair = await pairSaes(smaller, larger, kernels);
    const sums = await measure(pair, activationsInMemory(x), { gating: "joint" });
    const { deltaMse } = insertionEffect(sums.insertion, larger.decoder, {
      meanResidual: sums.smaller.residual,
    });
    const all = { kind: "topk", k: 12 } as const;
    const everyDonor = await denseCodes({ ...larger, activation: all }, x);
    const everyHost = await denseCodes({ ...smaller, activation: { kind: "topk", k: 9 } }, x);
    const bias = smaller.decoderBias;
    for (let j = 0; j < 12; j++) {
      let before = 0;
      let after = 0;
      for (let i = 0; i < x.rows; i++) {
        const host = everyHost[i].map((f, latent) => ({ f, direction: rowOf(smaller.decoder, latent) }));
        const union = [...host, { f: everyDonor[i][j], direction: rowOf(larger.decoder, j) }];
        const error = (latents: typeof host) => {
          const kept = [...latents].sort((a, b) => b.f - a.f).slice(0, k);
          let sum = 0;
          for (let c = 0; c < d; c++) {
            const written = bias[c] + total(kept.map(({ f, direction }) => f * direction[c]));
            sum += (x.values[i * d + c] - written) ** 2;
          }
          return sum;
        };
        before += error(host);
        after += error(union);
      }
      expect(deltaMse[j]).toBeCloseTo((after - before) / x.rows / d, 7);
    }
  });

  test("gives a standard error equal to the one computed from every document's sum", async () => {
    const random = seededRandom(5);
    const x = randomMatrix(random, 60, d);
    const documentIds = documentsOf(random, 60);
    const smaller = randomSae(random, d, 8);
    const larger = randomSae(random, d, 10);
    const pair = await pairSaes(smaller, larger, kernels);
    const sums = await measure(pair, activationsInMemory(x, { documentIds }));
    const { standardError } = insertionEffect(sums.insertion, larger.decoder, {
      meanResidual: sums.smaller.residual,
    });
    const output = await reconstruct(smaller, await encode(smaller, x, kernels), kernels);
    const codes = await denseCodes(larger, x);
    const ids = [...new Set(documentIds)];
    for (let j = 0; j < 10; j++) {
      const direction = rowOf(larger.decoder, j);
      const before = squaredErrors(
        x,
        output,
        codes.map(() => 0),
        direction,
      );
      const after = squaredErrors(
        x,
        output,
        codes.map((code) => code[j]),
        direction,
      );
      const delta = after.map((value, i) => value - before[i]);
      const mean = total(delta) / 60;
      const squares = ids.map(
        (id) => total(delta.map((value, i) => (documentIds[i] === id ? value - mean : 0))) ** 2,
      );
      const expected = Math.sqrt((total(squares) * ids.length) / (ids.length - 1)) / 60 / d;
      expect(standardError[j]).toBeCloseTo(expected, 8);
    }
  });

  test("gives a standard error of the re-fitted effect that follows from weighing documents a little differently", async () => {
    const random = seededRandom(15);
    const x = randomMatrix(random, 60, d);
    const documentIds = documentsOf(random, 60);
    const pair = await pairSaes(randomSae(random, d, 8), randomSae(random, d, 10), kernels);
    const sums = await measure(pair, activationsInMemory(x, { documentIds }));
    const meanResidual = sums.smaller.residual.map((value) => value / 60);
    const { standardError } = insertionEffect(sums.insertion, pair.larger.decoder, {
      bias: "refit",
      meanResidual,
    });
    const output = await reconstruct(pair.smaller, await encode(pair.smaller, x, kernels), kernels);
    const codes = await denseCodes(pair.larger, x);
    const ids = [...new Set(documentIds)];
    for (let j = 0; j < 10; j++) {
      const direction = rowOf(pair.larger.decoder, j);
      const strength = codes.map((code) => code[j]);
      const none = new Array<number>(60).fill(0);
      const before = squaredErrors(x, output, none, direction);
      const delta = squaredErrors(x, output, strength, direction).map((after, i) => after - before[i]);
      const effect = (weights: number[]) => {
        const weight = (i: number) => weights[ids.indexOf(documentIds[i])];
        const tokens = total(delta.map((_, i) => weight(i)));
        const f = total(strength.map((value, i) => weight(i) * value)) / tokens;
        const shifted = total(Array.from(direction, (w, k) => (meanResidual[k] - f * w) ** 2));
        const gain = shifted - total(Array.from(meanResidual, (r) => r ** 2));
        return total(delta.map((value, i) => weight(i) * value)) / tokens - gain;
      };
      const step = 1e-4;
      const squares = ids.map((_, g) => {
        const weighed = (change: number) => effect(ids.map((_, other) => (other === g ? 1 + change : 1)));
        return ((weighed(step) - weighed(-step)) / (2 * step)) ** 2;
      });
      const expected = Math.sqrt((total(squares) * ids.length) / (ids.length - 1)) / d;
      expect(standardError[j]).toBeCloseTo(expected, 7);
    }
  });

  test("takes every token for a document of its own when the sample has no documents", async () => {
    const random = seededRandom(6);
    const x = randomMatrix(random, 30, d);
    const pair = await pairSaes(randomSae(random, d, 8), randomSae(random, d, 10), kernels);
    const without = await measure(pair, activationsInMemory(x));
    const each = await measure(
      pair,
      activationsInMemory(x, { documentIds: Int32Array.from({ length: 30 }, (_, i) => i) }),
    );
    const meanResidual = new Float64Array(d);
    for (const bias of ["host", "refit"] as const) {
      const a = insertionEffect(without.insertion, pair.larger.decoder, { bias, meanResidual });
      const b = insertionEffect(each.insertion, pair.larger.decoder, { bias, meanResidual });
      expect(Array.from(a.standardError)).toEqual(
        Array.from(b.standardError, (value) => expect.closeTo(value, 12)),
      );
    }
  });

  test("leaves excluded rows out of every sum and counts them", async () => {
    const random = seededRandom(7);
    const x = randomMatrix(random, 30, d);
    const excluded = Uint8Array.from({ length: 30 }, (_, i) => (i % 5 === 0 ? 1 : 0));
    const kept = Array.from({ length: 30 }, (_, i) => i).filter((i) => excluded[i] === 0);
    const only = {
      rows: kept.length,
      columns: d,
      values: Float32Array.from(kept.flatMap((i) => [...rowOf(x, i)])),
    };
    const pair = await pairSaes(randomSae(random, d, 8), randomSae(random, d, 10), kernels);
    const masked = await measure(pair, activationsInMemory(x, { excluded }), { batchRows: 30 });
    const dropped = await measure(pair, activationsInMemory(only), { batchRows: 30 });
    expect(masked.excluded).toBe(6);
    expect(masked.insertion).toEqual(dropped.insertion);
    expect(masked.smaller).toEqual(dropped.smaller);
  });

  test("refuses NaN activations, naming row and file, and leaves them out on request", async () => {
    const random = seededRandom(8);
    const x = randomMatrix(random, 30, d);
    x.values[17 * d + 2] = Number.NaN;
    x.values[20 * d] = Number.POSITIVE_INFINITY;
    const pair = await pairSaes(randomSae(random, d, 8), randomSae(random, d, 10), kernels);
    const source = activationsInMemory(x, { location: "sample.npy" });
    await expect(measure(pair, source)).rejects.toThrow(/sample\.npy.*17/);
    const sums = await measure(pair, source, { skipNonFinite: true });
    expect(sums.nonFinite).toBe(2);
    expect(sums.insertion.tokens).toBe(28);
  });

  test("refuses SAEs and activations of different width, naming both", async () => {
    const random = seededRandom(1);
    const pair = await pairSaes(randomSae(random, d, 8), randomSae(random, d, 10), kernels);
    await expect(measure(pair, activationsInMemory(randomMatrix(random, 4, 5)))).rejects.toThrow(
      /width 6.*width 5/,
    );
    await expect(measure(pair, activationsInMemory(randomMatrix(random, 0, d)))).rejects.toThrow(
      /no activations/,
    );
  });
});
