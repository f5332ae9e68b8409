import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { ShapeError } from "../errors.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { encode, residual } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import { type Matrix, row, rowRange } from "../tensor/matrix.ts";
import {
  addEvidence,
  type EdgeEvidence,
  type EvidenceSums,
  edgeEvidence,
  emptyEvidenceSums,
  evidentEdges,
  mergeEvidenceSums,
} from "./edge-evidence.ts";
import type { Edge } from "./families.ts";

const d = 5;
const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** Every pair of a latent of either SAE. */
function allEdges(smaller: Sae, larger: Sae): Edge[] {
  return Array.from({ length: smaller.decoder.rows * larger.decoder.rows }, (_, e) => ({
    smaller: e % smaller.decoder.rows,
    larger: Math.floor(e / smaller.decoder.rows),
    cosine: 0,
  }));
}

async function sumsOver(smaller: Sae, larger: Sae, edges: readonly Edge[], parts: readonly Matrix[]) {
  const sums = emptyEvidenceSums(edges.length, smaller.decoder.rows, larger.decoder.rows);
  for (const x of parts) {
    const [host, donor] = await Promise.all([encode(smaller, x, kernels), encode(larger, x, kernels)]);
    const unexplained = await residual(smaller, x, host, kernels);
    const projections = await kernels.project(host.contributions, smaller.decoder, unexplained);
    addEvidence(sums, edges, host.contributions, donor.contributions, projections);
  }
  return sums;
}

/** The evidence for one edge from dense activations g and f, and the residual r of the smaller SAE [n][d]. */
function plainEvidence(g: number[], f: number[], v: Float32Array, w: Float32Array, r: number[][]) {
  const both = g.map((value, i) => value !== 0 && f[i] !== 0);
  const over = (values: number[]) => total(values.map((value, i) => (both[i] ? value : 0)));
  const mean = (values: number[]) => total(values) / values.length;
  const deviation = (values: number[]) => values.map((value) => value - mean(values));
  const product = (a: number[], b: number[]) => total(a.map((value, i) => value * b[i]));
  const squaredError = (i: number, withParent: boolean) =>
    total(r[i].map((value, k) => (value - f[i] * w[k] + (withParent ? 0 : g[i] * v[k])) ** 2));
  return {
    precision: over(f.map(() => 1)) / f.filter((value) => value !== 0).length,
    recall: over(f.map(() => 1)) / g.filter((value) => value !== 0).length,
    shareOfLarger: over(f.map((value) => value ** 2)) / total(f.map((value) => value ** 2)),
    shareOfSmaller: over(g.map((value) => value ** 2)) / total(g.map((value) => value ** 2)),
    agreement:
      product(deviation(f), deviation(g)) /
      Math.sqrt(product(deviation(f), deviation(f)) * product(deviation(g), deviation(g))),
    replacing: over(f.map((_, i) => squaredError(i, false) - squaredError(i, true))) / f.length / d,
  };
}

function evidenceOf(
  sums: EvidenceSums,
  edges: readonly Edge[],
  smaller: Sae,
  larger: Sae,
  codes: number[][][],
) {
  const firings = codes.map((code) =>
    Float64Array.from(code[0], (_, latent) => code.filter((token) => token[latent] !== 0).length),
  );
  return edgeEvidence(
    edges,
    sums,
    { directions: smaller.decoder, firings: firings[0] },
    { directions: larger.decoder, firings: firings[1] },
  );
}

test.each([0, 1, 2, 3, 4])(
  "edgeEvidence() agrees with dense activations and taking each smaller latent out, activation %i",
  async (kind) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(seed);
        const x = randomMatrix(random, 30, d);
        const [smaller, larger] = [4, 6].map((m) =>
          randomSae(random, d, m, { activation: everyActivation(random, m)[kind] }),
        );
        const edges = allEdges(smaller, larger);
        const sums = await sumsOver(smaller, larger, edges, [rowRange(x, 0, 11), rowRange(x, 11, 30)]);
        const host = await encode(smaller, x, kernels);
        const unexplained = await residual(smaller, x, host, kernels);
        const r = Array.from({ length: 30 }, (_, i) => [...row(unexplained, i)]);
        const codes = [host, await encode(larger, x, kernels)].map(({ code }) => denseCode(code));
        const evidence = evidenceOf(sums, edges, smaller, larger, codes);
        edges.forEach((edge, e) => {
          const [g, f] = [
            codes[0].map((code) => code[edge.smaller]),
            codes[1].map((code) => code[edge.larger]),
          ];
          const plain = plainEvidence(
            g,
            f,
            row(smaller.decoder, edge.smaller),
            row(larger.decoder, edge.larger),
            r,
          );
          for (const name of ["precision", "recall", "shareOfLarger", "shareOfSmaller", "replacing"] as const)
            if (!Number.isNaN(plain[name])) expect(evidence[name][e]).toBeCloseTo(plain[name], 5);
            else expect(evidence[name][e]).toBeNaN();
          if (!Number.isNaN(plain.agreement)) expect(evidence.agreement[e]).toBeCloseTo(plain.agreement, 4);
        });
      }),
      { numRuns: 8 },
    );
  },
);

test("mergeEvidenceSums() gives the sums of both stretches, and refuses sums of other edges", async () => {
  const random = seededRandom(3);
  const x = randomMatrix(random, 40, d);
  const [smaller, larger] = [randomSae(random, d, 4), randomSae(random, d, 6)];
  const edges = allEdges(smaller, larger);
  const parts = [rowRange(x, 0, 17), rowRange(x, 17, 40)];
  const whole = await sumsOver(smaller, larger, edges, parts);
  const [a, b] = await Promise.all(parts.map((part) => sumsOver(smaller, larger, edges, [part])));
  const merged = mergeEvidenceSums(a, b);
  expect(merged.tokens).toBe(40);
  for (const name of ["together", "product", "smallerSquares", "largerSquares", "projected"] as const)
    expect(Array.from(merged[name])).toEqual(Array.from(whole[name], (value) => expect.closeTo(value, 9)));
  expect(Array.from(merged.larger.squares)).toEqual(
    Array.from(whole.larger.squares, (value) => expect.closeTo(value, 9)),
  );
  expect(() => mergeEvidenceSums(a, emptyEvidenceSums(2, 4, 6))).toThrow(ShapeError);
});

describe("evidentEdges()", () => {
  const edge = (evidence: Partial<Record<keyof EdgeEvidence, number>>): EdgeEvidence => {
    const column = (name: keyof EdgeEvidence) => Float64Array.of(evidence[name] ?? 0);
    return {
      precision: column("precision"),
      recall: column("recall"),
      shareOfLarger: column("shareOfLarger"),
      shareOfSmaller: column("shareOfSmaller"),
      agreement: column("agreement"),
      replacing: column("replacing"),
    };
  };

  test("needs either latent to fire mostly with the other", () => {
    expect([...evidentEdges(edge({ shareOfLarger: 0.6, shareOfSmaller: 0.1, replacing: -1 }))]).toEqual([1]);
    expect([...evidentEdges(edge({ shareOfLarger: 0.1, shareOfSmaller: 0.6, replacing: -1 }))]).toEqual([1]);
    expect([...evidentEdges(edge({ shareOfLarger: 0.4, shareOfSmaller: 0.4, replacing: -1 }))]).toEqual([0]);
    expect([...evidentEdges(edge({ shareOfLarger: 0.4, replacing: -1 }), { coverage: 0.3 })]).toEqual([1]);
  });

  test("needs the one to replace the other", () => {
    expect([...evidentEdges(edge({ shareOfLarger: 1, shareOfSmaller: 1, replacing: 1 }))]).toEqual([0]);
    expect([...evidentEdges(edge({ shareOfLarger: Number.NaN, replacing: 0 }))]).toEqual([0]);
  });
});
