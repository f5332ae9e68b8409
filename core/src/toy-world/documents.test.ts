import { expect, test } from "vitest";
import { collectRows, describeActivationSource } from "../activations/activation-source.conformance.ts";
import { seededRandom } from "../linalg/random.ts";
import { matrix, zeros } from "../tensor/matrix.ts";
import { unionOfBases } from "./directions.ts";
import { BOS_TOKEN, EMPTY_TOKEN, type Texts, toyDocuments } from "./documents.ts";
import { drawFamilies, featuresOf } from "./families.ts";

const families = drawFamilies(seededRandom(1));
const groupSizes = families.map(({ variants }) => featuresOf(variants).length);
const features = groupSizes.reduce((total, size) => total + size, 0);
const d = 64;
const mean = new Float32Array(d).fill(0.5);
const texts: Texts = {
  seed: 5,
  families,
  directions: unionOfBases(groupSizes, d, seededRandom(2)),
  mean,
  noise: 0.05,
};

describeActivationSource("toyDocuments()", () => toyDocuments(texts, 19));

test("toyDocuments() begins each document with one excluded BOS row of very large norm, and no other", async () => {
  const source = toyDocuments(texts, 19);
  const { activations, documentIds, tokenIds, excluded } = await collectRows(source);
  expect([...new Set(documentIds)]).toEqual(Array.from({ length: 19 }, (_, i) => i));
  for (let i = 0; i < source.rows; i++) {
    const first = i === 0 || documentIds![i] !== documentIds![i - 1];
    expect(excluded![i]).toBe(first ? 1 : 0);
    expect(tokenIds![i] === BOS_TOKEN).toBe(first);
    const norm = Math.hypot(...activations.subarray(i * d, (i + 1) * d));
    if (first) expect(norm).toBeCloseTo(60, 3);
    else expect(norm).toBeLessThan(15);
  }
});

test("toyDocuments() does not change a document when more follow", async () => {
  const few = toyDocuments(texts, 3);
  const many = toyDocuments(texts, 1e9);
  expect(await collectRows(many, { end: few.rows })).toEqual(await collectRows(few));
});

test("toyDocuments() reads row 1e10 as fast as row 0, so documents before it are not made", async () => {
  const endless = toyDocuments(texts, 1e9);
  const start = 1e10;
  const { documentIds } = await collectRows(endless, { start, end: start + 100 });
  expect(documentIds![0]).toBeGreaterThan(3e8);
  expect(new Set(documentIds).size).toBeGreaterThan(2);
});

test("toyDocuments() differs by seed and by document", async () => {
  const rowsOf = async (seed: number, start: number) =>
    (await collectRows(toyDocuments({ ...texts, seed }, 9), { start, end: start + 1 })).activations;
  expect(await rowsOf(5, 1)).not.toEqual(await rowsOf(6, 1));
  expect(await rowsOf(5, 1)).not.toEqual(await rowsOf(5, 34));
});

test("toyDocuments() names a token after a feature that it contains, or says that it has none", async () => {
  const source = toyDocuments({ ...texts, noise: 0 }, 40);
  const { activations, tokenIds } = await collectRows(source);
  let empty = 0;
  for (let i = 0; i < source.rows; i++) {
    if (tokenIds![i] === BOS_TOKEN) continue;
    const x = activations.subarray(i * d, (i + 1) * d);
    if (tokenIds![i] === EMPTY_TOKEN) {
      empty++;
      expect(x).toEqual(mean);
    } else {
      expect(x).not.toEqual(mean);
      expect(tokenIds![i] - EMPTY_TOKEN - 1).toBeLessThan(features);
    }
  }
  expect(empty).toBeGreaterThan(0);
});

test("toyDocuments() has families occur at their rates, and together by document", async () => {
  // One axis per family, without noise: a coordinate above zero says that its family occurs.
  const count = 8;
  const axes = matrix(
    count,
    count,
    zeros(count, count).values.map((_, p) => (p % (count + 1) === 0 ? 1 : 0)),
  );
  const flat = Array.from({ length: count }, (_, f) => ({
    kind: "shared" as const,
    rate: 0.01 * (f + 1),
    variants: [{ share: 1, generals: [f] }],
  }));
  const source = toyDocuments(
    { seed: 3, families: flat, directions: axes, mean: new Float32Array(count), noise: 0 },
    6000,
  );
  const { activations, documentIds, excluded } = await collectRows(source);
  const occurrences = new Float64Array(count);
  const perDocument = new Float64Array(6000);
  let rows = 0;
  for (let i = 0; i < source.rows; i++) {
    if (excluded![i]) continue;
    rows++;
    for (let f = 0; f < count; f++) {
      if (activations[i * count + f] === 0) continue;
      occurrences[f]++;
      if (f === count - 1) perDocument[documentIds![i]]++;
    }
  }
  for (let f = 0; f < count; f++)
    expect(Math.abs(occurrences[f] / rows / flat[f].rate - 1)).toBeLessThan(0.15);
  const average = occurrences[count - 1] / 6000;
  const variance = perDocument.reduce((sum, value) => sum + (value - average) ** 2, 0) / 6000;
  // Independent tokens would give less than the mean.
  expect(variance).toBeGreaterThan(1.3 * average);
});

test("toyDocuments() has strengths that are log-normal about 1 with mean square exp(2 · 0.2²)", async () => {
  const family = { kind: "shared" as const, rate: 0.3, variants: [{ share: 1, generals: [0] }] };
  const source = toyDocuments(
    {
      seed: 3,
      families: [family],
      directions: matrix(1, 1, Float32Array.of(1)),
      mean: new Float32Array(1),
      noise: 0,
    },
    2000,
  );
  const { activations, excluded } = await collectRows(source);
  const strengths = activations.filter((value, i) => value !== 0 && excluded![i] === 0).sort();
  expect(Math.abs(strengths[strengths.length >> 1] - 1)).toBeLessThan(0.01);
  const meanSquare = strengths.reduce((sum, value) => sum + value * value, 0) / strengths.length;
  expect(Math.abs(meanSquare / Math.exp(2 * 0.2 ** 2) - 1)).toBeLessThan(0.02);
});
