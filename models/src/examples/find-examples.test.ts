import {
  type Activation,
  activationsInMemory,
  encode,
  excludeTokens,
  matrix,
  normal,
  referenceKernels,
  type Sae,
  seededRandom,
} from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { findExamples } from "./find-examples.ts";

const [n, d, m] = [300, 6, 20];
const random = seededRandom(4);
const normals = (count: number) => Float32Array.from({ length: count }, () => normal(random));

const activations = matrix(n, d, normals(n * d));
const tokenIds = Int32Array.from({ length: n }, (_, i) => (i % 25 === 0 ? 0 : 1 + Math.floor(30 * random())));
const documentIds = Int32Array.from({ length: n }, (_, i) => Math.floor(i / 25));
const sample = excludeTokens(activationsInMemory(activations, { tokenIds, documentIds }), [0]);

const base: Sae = {
  encoder: matrix(m, d, normals(m * d)),
  encoderBias: normals(m).map((value) => value / 4),
  decoder: matrix(m, d, normals(m * d)),
  decoderBias: normals(d),
  inputBias: normals(d).map((value) => value / 4),
  activation: { kind: "relu" },
  normalization: { kind: "none" },
  folds: [],
  origin: { dialect: "none" },
};
const positive = (count: number) => normals(count).map((value) => 0.5 + Math.abs(value));

const activationKinds: readonly Activation[] = [
  { kind: "relu" },
  { kind: "jumprelu", threshold: positive(m) },
  { kind: "topk", k: 3 },
  { kind: "batchtopk", threshold: 1.5 },
  { kind: "gated", magnitudeScale: positive(m), magnitudeOffset: normals(m) },
];

describe("findExamples()", () => {
  test.each([
    ...activationKinds.map((activation) => [activation.kind, { ...base, activation }] as const),
    ["normalised", { ...base, normalization: { kind: "layer-norm" } }] as const,
    ["scaled", { ...base, normalization: { kind: "expected-average", factor: 0.7 } }] as const,
  ])("finds the firings of chosen latents of a %s SAE as those of the whole", async (_, sae) => {
    const latents = [7, 2, 19];
    const found = await findExamples(sae, latents, sample, referenceKernels, { batchRows: 64, top: 400 });
    const { code } = await encode(sae, activations, referenceKernels);
    const fired = Array.from({ length: n }, (_, row) => row).filter((row) => tokenIds[row] !== 0);
    expect([found.tokens, found.excluded, found.nonFinite]).toEqual([288, 12, 0]);
    for (const { latent, ...examples } of found.latents) {
      const values = fired.flatMap((row) => {
        const entry = code.indices.subarray(code.offsets[row], code.offsets[row + 1]).indexOf(latent);
        return entry < 0 ? [] : [{ row, activation: code.values[code.offsets[row] + entry] }];
      });
      expect(values.length).toBeGreaterThan(5);
      const byRow = examples.strongest.toSorted((a, b) => a.row - b.row);
      expect(byRow.map(({ row }) => row)).toEqual(values.map(({ row }) => row));
      for (const [i, { activation, row, at, tokenIds: shown, document }] of byRow.entries()) {
        expect(activation).toBeCloseTo(values[i].activation, 5);
        expect([shown[at], document]).toEqual([tokenIds[row], documentIds[row]]);
      }
    }
    expect(found.latents.map(({ latent }) => latent)).toEqual(latents);
  });

  test("counts rows that are not finite apart, and shows their tokens in the context of others", async () => {
    const broken = matrix(n, d, activations.values.slice());
    for (let row = 1; row < n; row += 2) broken.values[row * d] = Number.NaN;
    const source = activationsInMemory(broken, { tokenIds, documentIds });
    await expect(findExamples(base, [0], source, referenceKernels)).rejects.toThrow("NaN or infinite values");
    const found = await findExamples(base, [0], source, referenceKernels, { skipNonFinite: true });
    expect([found.tokens, found.nonFinite]).toEqual([150, 150]);
    const [{ row, at, tokenIds: shown }] = found.latents[0].strongest;
    expect([...shown]).toEqual([...tokenIds.subarray(row - at, row - at + shown.length)]);
  });

  test("reads the rows before `end`, and says how far it is", async () => {
    const seen: number[] = [];
    const { tokens } = await findExamples(base, [0], sample, referenceKernels, {
      end: 100,
      batchRows: 40,
      onRows: (rows) => seen.push(rows),
    });
    expect([tokens, seen]).toEqual([96, [40, 80, 100]]);
  });

  test("refuses a latent that the SAE does not have, and a sample without tokens", async () => {
    for (const latent of [m, -1, 0.5])
      await expect(findExamples(base, [latent], sample, referenceKernels)).rejects.toThrow(
        "the SAE has the latents 0 to 19",
      );
    const silent = activationsInMemory(activations);
    await expect(findExamples(base, [0], silent, referenceKernels)).rejects.toThrow("no token ids");
  });
});
