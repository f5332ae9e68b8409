import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { denseCode, largestDifference, plainForward } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { row, zeros } from "../tensor/matrix.ts";
import { checkSae } from "./check-sae.ts";
import { encode, reconstruct } from "./encode.ts";
import { type ChosenLatent, mergeSaes } from "./merge.ts";
import type { Normalization } from "./sae.ts";

const d = 7;
const b = 12;

/** Kinds of `everyActivation` that are per latent. */
const perLatent = fc.constantFrom(0, 1, 3, 4);
const normalizations: Normalization[] = [
  { kind: "none" },
  { kind: "layer-norm" },
  { kind: "unit-mean-square" },
];

/** SAEs of one normalisation and every per-latent activation, and some of their latents in any order. */
const anyMerge = fc
  .record({
    seed: fc.integer(),
    sources: fc.array(fc.tuple(perLatent, fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 4 }),
    normalization: fc.constantFrom(...normalizations),
  })
  .chain(({ seed, sources, normalization }) => {
    const all = sources.flatMap(([, m], sae) => Array.from({ length: m }, (_, latent) => ({ sae, latent })));
    return fc.shuffledSubarray(all, { minLength: 1 }).map((chosen) => {
      const random = seededRandom(seed);
      const saes = sources.map(([kind, m]) =>
        randomSae(random, d, m, { activation: everyActivation(random, m)[kind], normalization }),
      );
      return {
        saes,
        chosen,
        x: randomMatrix(random, b, d, 1.5),
        decoderBias: randomMatrix(random, 1, d).values,
      };
    });
  });

describe("mergeSaes()", () => {
  test("fires every chosen latent as its own SAE does, and writes the sum of their contributions", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(anyMerge, async ({ saes, chosen, x, decoderBias }) => {
        const merged = mergeSaes(saes, chosen, { decoderBias });
        checkSae(merged);
        expect(merged.inputBias.every((value) => value === 0)).toBe(true);
        const apart = await Promise.all(saes.map((sae) => encode(sae, x, referenceKernels)));
        const contributions = apart.map((encoding) => denseCode(encoding.contributions));
        const together = await encode(merged, x, referenceKernels);
        const found = denseCode(together.contributions);
        const written = await reconstruct(merged, together, referenceKernels);
        const margins = [merged, ...saes].map((sae) => plainForward(sae, x));
        for (let i = 0; i < b; i++) {
          if (margins.some((rows) => rows[i].margin < 1e-5)) continue;
          compared++;
          const wanted = chosen.map(({ sae, latent }) => contributions[sae][i][latent]);
          const scale = Math.max(1, ...wanted);
          expect(largestDifference(found[i], wanted)).toBeLessThan(1e-6 * scale);
          const { outputScale, outputShift } = apart[0];
          const sum = Array.from({ length: d }, (_, k) =>
            chosen.reduce(
              (total, { sae, latent }, j) => total + wanted[j] * row(saes[sae].decoder, latent)[k],
              (outputScale?.[i] ?? 1) * decoderBias[k] + (outputShift?.[i] ?? 0),
            ),
          );
          expect(largestDifference(row(written, i), sum)).toBeLessThan(
            3e-6 * Math.max(scale, ...sum.map(Math.abs)),
          );
        }
      }),
    );
    expect(compared).toBeGreaterThan(800);
  });

  test("is relu when every chosen latent is, and jumprelu otherwise, where those have the threshold 0", () => {
    const random = seededRandom(1);
    const relu = randomSae(random, d, 3);
    const jump = randomSae(random, d, 3, {
      activation: { kind: "jumprelu", threshold: Float32Array.of(0.5, 1, 2) },
    });
    const decoderBias = new Float32Array(d);
    const both: ChosenLatent[] = [
      { sae: 1, latent: 2 },
      { sae: 0, latent: 1 },
    ];
    expect(mergeSaes([relu, jump], both, { decoderBias }).activation).toEqual({
      kind: "jumprelu",
      threshold: Float32Array.of(2, 0),
    });
    expect(mergeSaes([relu, jump], both.slice(1), { decoderBias }).activation).toEqual({ kind: "relu" });
  });

  test("takes directions in place of the latents' own", () => {
    const random = seededRandom(2);
    const decoder = randomMatrix(random, 2, d);
    const chosen = [
      { sae: 0, latent: 4 },
      { sae: 0, latent: 1 },
    ];
    const sae = randomSae(random, d, 5);
    const merged = mergeSaes([sae], chosen, { decoderBias: sae.decoderBias, decoder });
    expect(merged.decoder).toBe(decoder);
    expect(row(merged.encoder, 0)).toEqual(row(sae.encoder, 4));
    expect(merged.folds.map(({ kind }) => kind)).toEqual(["merge"]);
  });

  test("keeps of the origins what all say alike, and every warning once", () => {
    const random = seededRandom(3);
    const origin = {
      dialect: "saelens",
      location: "a",
      modelName: "gpt2",
      prependBos: true,
      warnings: ["old"],
    };
    const one = { ...origin, hook: "one", centredWrites: true, seqposSlice: [1], excludeSpecialTokens: [0] };
    const other = { ...origin, hook: "other", seqposSlice: [1], excludeSpecialTokens: [1] };
    const saes = [
      { ...randomSae(random, d, 2), origin: one },
      { ...randomSae(random, d, 2), origin: { ...other, warnings: ["old", "new"] } },
    ];
    const merged = mergeSaes(saes, [{ sae: 0, latent: 0 }], {
      decoderBias: new Float32Array(d),
      location: "merged",
    });
    expect(merged.origin).toEqual({
      dialect: "none",
      location: "merged",
      modelName: "gpt2",
      prependBos: true,
      seqposSlice: [1],
      warnings: ["old", "new"],
    });
  });

  test("lets a topk SAE stand by as long as none of its latents is chosen", () => {
    const random = seededRandom(4);
    const saes = [randomSae(random, d, 2), randomSae(random, d, 2, { activation: { kind: "topk", k: 1 } })];
    const decoderBias = new Float32Array(d);
    expect(mergeSaes(saes, [{ sae: 0, latent: 1 }], { decoderBias }).encoder.rows).toBe(1);
    expect(() => mergeSaes(saes, [{ sae: 1, latent: 1 }], { decoderBias })).toThrow(UnsupportedError);
  });

  const decoderBias = new Float32Array(d);
  const refused: [string, ChosenLatent[], object, RegExp][] = [
    ["no latent", [], {}, /no latent/],
    [
      "a latent twice",
      [
        { sae: 0, latent: 1 },
        { sae: 0, latent: 1 },
      ],
      {},
      /latent 1 of SAE 0 is chosen twice/,
    ],
    ["a latent that does not exist", [{ sae: 0, latent: 2 }], {}, /it has 2 latents/],
    ["a latent below 0", [{ sae: 0, latent: -1 }], {}, /latent -1/],
    ["a latent between two", [{ sae: 0, latent: 0.5 }], {}, /latent 0.5/],
    ["an SAE that does not exist", [{ sae: 1, latent: 0 }], {}, /there are 1 SAEs/],
    [
      "a decoder bias of another width",
      [{ sae: 0, latent: 0 }],
      { decoderBias: new Float32Array(3) },
      /3 values/,
    ],
    ["too few directions", [{ sae: 0, latent: 0 }], { decoder: zeros(0, d) }, /0 × 7/],
  ];
  test.each(refused)("refuses %s", (_, chosen, options, message) => {
    const merge = () => mergeSaes([randomSae(seededRandom(6), d, 2)], chosen, { decoderBias, ...options });
    expect(merge).toThrow(ShapeError);
    expect(merge).toThrow(message);
  });

  test("refuses SAEs that read different numbers", () => {
    const random = seededRandom(7);
    const saes = [
      randomSae(random, d, 2),
      randomSae(random, d, 2, { normalization: { kind: "layer-norm" } }),
    ];
    expect(() => mergeSaes(saes, [{ sae: 0, latent: 0 }], { decoderBias })).toThrow(UnsupportedError);
  });
});
