import { type Random, type SparseCode, seededRandom } from "@saestitch/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collectExamples } from "./collect-examples.ts";
import type { LatentExamples } from "./latent-record.ts";
import type { ExampleBatch } from "./row-window.ts";

/** A row of a sample as a test writes it; `active` has an activation for each column, 0 where it is not active. */
interface Row {
  readonly token: number;
  readonly document: number;
  readonly counts: boolean;
  readonly active: readonly number[];
}

function codeOf(rows: readonly Row[]): SparseCode {
  const entries = rows.map(({ active }) =>
    active.flatMap((value, column) => (value > 0 ? [{ value, column }] : [])),
  );
  const offsets = [0];
  for (const row of entries) offsets.push(offsets[offsets.length - 1] + row.length);
  return {
    rows: rows.length,
    columns: rows[0]?.active.length ?? 0,
    offsets: Int32Array.from(offsets),
    indices: Int32Array.from(entries.flat(), ({ column }) => column),
    values: Float32Array.from(entries.flat(), ({ value }) => value),
  };
}

/** The rows as batches of lengths that `random` draws. */
async function* batchesOf(
  rows: readonly Row[],
  random: Random,
  { withDocuments = true } = {},
): AsyncGenerator<ExampleBatch, void, void> {
  for (let at = 0; at < rows.length; ) {
    const batch = rows.slice(at, at + 1 + Math.floor(12 * random()));
    at += batch.length;
    const counted = batch.flatMap(({ counts }, i) => (counts ? [i] : []));
    yield {
      tokenIds: Int32Array.from(batch, ({ token }) => token),
      ...(withDocuments && { documentIds: Int32Array.from(batch, ({ document }) => document) }),
      code: codeOf(counted.map((i) => batch[i])),
      ...(counted.length < batch.length && { counted: Int32Array.from(counted) }),
    };
  }
}

/** What a latent does on the rows, computed with all rows at hand. */
function plainly(
  rows: readonly Row[],
  column: number,
  { around, top }: { around: number; top: number },
): LatentExamples {
  const activation = ({ counts, active }: Row) => (counts ? Math.fround(active[column]) : 0);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const examples = rows.map((row, i) => {
    const first = rows.findIndex(({ document }) => document === row.document);
    const last = rows.findLastIndex(({ document }) => document === row.document);
    const from = Math.max(first, i - around);
    const to = Math.min(last, i + around) + 1;
    const shown = rows.slice(from, to);
    return {
      row: i,
      document: row.document,
      position: i - first,
      activation: activation(row),
      tokenIds: Int32Array.from(shown, ({ token }) => token),
      activations: Float32Array.from(shown, activation),
      at: i - from,
      continues: to <= last,
    };
  });
  const fired = examples
    .filter(({ activation }) => activation > 0)
    .sort((a, b) => b.activation - a.activation || a.row - b.row);
  const ofDocuments = fired.filter(
    ({ document }, i) => fired.findIndex((other) => other.document === document) === i,
  );
  const others = fired.filter((example) => !ofDocuments.includes(example));
  const tokens = [...new Set(fired.map(({ row }) => rows[row].token))].map((token) => {
    const values = fired.filter(({ row }) => rows[row].token === token).map(({ activation }) => activation);
    return {
      token,
      fires: values.length,
      occurrences: rows.filter((row) => row.counts && row.token === token).length,
      mean: expect.closeTo(sum(values) / values.length, 10),
      exactly: sum(values) / values.length,
    };
  });
  const shownTokens = (order: (a: (typeof tokens)[0], b: (typeof tokens)[0]) => number) =>
    tokens
      .toSorted((a, b) => order(a, b) || a.token - b.token)
      .slice(0, 5)
      .map(({ exactly, ...firings }) => firings);
  return {
    fires: fired.length,
    mean: expect.closeTo(sum(fired.map(({ activation }) => activation)) / fired.length, 10),
    max: Math.max(0, ...fired.map(({ activation }) => activation)),
    strongest: [...ofDocuments, ...others]
      .slice(0, top)
      .sort((a, b) => b.activation - a.activation || a.row - b.row),
    quantiles: [],
    frequentTokens: shownTokens((a, b) => b.fires - a.fires || b.exactly - a.exactly),
    strongTokens: shownTokens((a, b) => b.exactly - a.exactly || b.fires - a.fires),
  };
}

/** Rows of a few documents with few different activations, so that there are ties. Documents are numbered with gaps. */
function randomRows(random: Random, columns: number): Row[] {
  const draw = (most: number) => Math.floor(most * random());
  return Array.from({ length: 1 + draw(7) }, (_, document) => 3 * document).flatMap((document) =>
    Array.from({ length: 1 + draw(30) }, () => ({
      token: draw(9),
      document,
      counts: random() < 0.9,
      active: Array.from({ length: columns }, () => (random() < 0.3 ? (1 + draw(8)) / 4 : 0)),
    })),
  );
}

const options = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  around: fc.integer({ min: 0, max: 6 }),
  top: fc.integer({ min: 1, max: 6 }),
});

describe("collectExamples()", () => {
  test("finds what is found with all rows at hand, however they fall into batches", async () => {
    await fc.assert(
      fc.asyncProperty(options, async ({ seed, around, top }) => {
        const random = seededRandom(seed);
        const rows = randomRows(random, 4);
        // Columns in another order than in the code, and not all of them.
        const columns = [3, 0, 1];
        const found = await collectExamples(batchesOf(rows, random), columns, { around, top });
        expect(found.tokens).toBe(rows.filter(({ counts }) => counts).length);
        for (const [i, column] of columns.entries()) {
          const expected = plainly(rows, column, { around, top });
          expect(found.latents[i]).toEqual(
            expected.fires === 0 ? { ...expected, mean: Number.NaN } : expected,
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test("takes a sample that does not know its documents for one document without a number", async () => {
    const random = seededRandom(3);
    const rows = randomRows(random, 1).map((row) => ({ ...row, document: 0 }));
    const { latents } = await collectExamples(batchesOf(rows, random, { withDocuments: false }), [0]);
    const expected = plainly(rows, 0, { around: 12, top: 5 });
    expect(latents[0].strongest).toEqual(expected.strongest.map(({ document, ...example }) => example));
    expect(latents[0].strongest.every((example) => !("document" in example))).toBe(true);
  });

  test("takes one place of each document before it takes a second of any", async () => {
    const rows = [9, 8, 7, 1, 2, 3].map((value, i) => ({
      token: i,
      document: i < 3 ? 0 : 1,
      counts: true,
      active: [value],
    }));
    const placesOf = async (top: number) => {
      const { latents } = await collectExamples(batchesOf(rows, seededRandom(1)), [0], { top });
      return latents[0].strongest.map(({ row }) => row);
    };
    expect(await placesOf(2)).toEqual([0, 5]);
    expect(await placesOf(3)).toEqual([0, 1, 5]);
    expect(await placesOf(9)).toEqual([0, 1, 2, 5, 4, 3]);
  });

  test("finds quantiles of the activations when active, among thousands of firings as among few", async () => {
    for (const n of [9, 5000]) {
      const random = seededRandom(n);
      const values = Array.from({ length: n }, () => 1 + random());
      const rows = values.map((value, i) => ({ token: 0, document: i, counts: true, active: [value] }));
      const { latents } = await collectExamples(batchesOf(rows, random), [0], { quantiles: 3, top: 2 });
      const { quantiles, strongest } = latents[0];
      expect(quantiles.map(({ quantile }) => quantile)).toEqual([0.75, 0.5, 0.25]);
      for (const { quantile, activation, row } of quantiles) {
        expect(activation).toBe(Math.fround(values[row]));
        const share = values.filter((value) => Math.fround(value) <= activation).length / n;
        // Of n firings all are kept, or at least 256: three standard errors of a share of those are 0.1.
        expect(Math.abs(share - quantile)).toBeLessThan(0.11);
        expect(strongest.map(({ row }) => row)).not.toContain(row);
      }
    }
  });

  test("has no second example at a place, where a latent fires seldom", async () => {
    const rows = [3, 0, 1, 2].map((value) => ({ token: 0, document: 0, counts: true, active: [value] }));
    const { latents } = await collectExamples(batchesOf(rows, seededRandom(1)), [0], {
      quantiles: 5,
      top: 2,
    });
    expect(latents[0].quantiles.map(({ row }) => row)).toEqual([2]);
  });
});
