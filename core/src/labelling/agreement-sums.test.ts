import { expect, test } from "vitest";
import { seededRandom } from "../linalg/random.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { addAgreement, agreement, emptyAgreementSums, mergeAgreementSums } from "./agreement-sums.ts";

const tokens = 200;
const hostLatents = 5;
const match = Int32Array.of(3, 0, 3, 1);

/** Dense activations [tokens][latents], mostly zero; latent 2 of the host and 3 of the donor never fire. */
function randomCodes(random: () => number, latents: number, silent: number): number[][] {
  return Array.from({ length: tokens }, () =>
    Array.from({ length: latents }, (_, j) =>
      j !== silent && random() < 0.3 ? Math.fround(random() + 0.1) : 0,
    ),
  );
}

function sparse(codes: number[][]): SparseCode {
  const entries = codes.map((code) => code.flatMap((f, j) => (f > 0 ? [{ f, j }] : [])));
  const offsets = Int32Array.from([0, ...entries]);
  entries.forEach((row, i) => {
    offsets[i + 1] = offsets[i] + row.length;
  });
  return {
    rows: codes.length,
    columns: codes[0].length,
    offsets,
    indices: Int32Array.from(entries.flat(), ({ j }) => j),
    values: Float32Array.from(entries.flat(), ({ f }) => f),
  };
}

const random = seededRandom(1);
const host = randomCodes(random, hostLatents, 2);
const donor = randomCodes(random, match.length, 3);
const column = (codes: number[][], j: number) => codes.map((code) => code[j]);
const firings = (codes: number[][]) =>
  Float64Array.from(codes[0], (_, j) => column(codes, j).filter((f) => f > 0).length);

function pearson(a: number[], b: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const moment = (x: number[], mx: number, y: number[], my: number) =>
    mean(x.map((value, i) => (value - mx) * (y[i] - my)));
  return moment(a, ma, b, mb) / Math.sqrt(moment(a, ma, a, ma) * moment(b, mb, b, mb));
}

test("agreement() is Pearson's correlation, precision and recall of each latent and its match", () => {
  const sums = emptyAgreementSums(match, hostLatents);
  addAgreement(sums, sparse(host), sparse(donor));
  const { correlation, precision, recall } = agreement(sums, tokens, firings(host), firings(donor));
  for (let j = 0; j < 3; j++) {
    const [f, g] = [column(donor, j), column(host, match[j])];
    const together = f.filter((value, i) => value > 0 && g[i] > 0).length;
    expect(correlation[j]).toBeCloseTo(pearson(f, g), 12);
    expect(precision[j]).toBe(together / f.filter((value) => value > 0).length);
    expect(recall[j]).toBe(together / g.filter((value) => value > 0).length);
  }
});

test("agreement() of a latent that never fires is NaN but for its recall", () => {
  const sums = emptyAgreementSums(match, hostLatents);
  addAgreement(sums, sparse(host), sparse(donor));
  const { correlation, precision, recall } = agreement(sums, tokens, firings(host), firings(donor));
  expect([correlation[3], precision[3], recall[3]]).toEqual([Number.NaN, Number.NaN, 0]);
});

test("mergeAgreementSums() of two halves gives the sums of the whole", () => {
  const whole = emptyAgreementSums(match, hostLatents);
  addAgreement(whole, sparse(host), sparse(donor));
  const [a, b] = [0, 1].map((half) => {
    const sums = emptyAgreementSums(match, hostLatents);
    const rows = (codes: number[][]) => sparse(codes.slice(half * 90, half === 0 ? 90 : tokens));
    addAgreement(sums, rows(host), rows(donor));
    return sums;
  });
  const merged = mergeAgreementSums(a, b);
  expect(merged.together).toEqual(whole.together);
  merged.product.forEach((product, j) => {
    expect(product).toBeCloseTo(whole.product[j], 10);
  });
});

test("mergeAgreementSums() refuses sums over other matches", () => {
  const other = emptyAgreementSums(Int32Array.of(3, 0, 3, 2), hostLatents);
  expect(() => mergeAgreementSums(emptyAgreementSums(match, hostLatents), other)).toThrow(
    /matched differently/,
  );
});
