import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../errors.ts";
import { checkHalves, DocumentHalves } from "./document-halves.ts";

/** For each row whether it falls to selection, and its document, when `ids` come in batches of the given sizes. */
function dealt(ids: Int32Array, seed: number, sizes: readonly number[]) {
  const halves = new DocumentHalves(seed);
  const isSelected: boolean[] = [];
  const documents: number[] = [];
  for (let start = 0, i = 0; start < ids.length; i++) {
    const batch = ids.subarray(start, start + sizes[i % sizes.length]);
    const { selection, evaluation } = halves.deal(batch.length, batch);
    for (const [half, rows] of [
      [true, selection],
      [false, evaluation],
    ] as const)
      rows.rows.forEach((r, p) => {
        isSelected[start + r] = half;
        documents[start + r] = rows.documents[p];
      });
    start += batch.length;
  }
  return { isSelected, documents, counts: halves.counts() };
}

const sample = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 40 })
  .map((lengths) => Int32Array.from(lengths.flatMap((length, id) => new Array<number>(length).fill(id % 7))));

describe("DocumentHalves", () => {
  test("splits by document, evenly, and does not depend on where batches end", () => {
    fc.assert(
      fc.property(
        sample,
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (ids, seed, sizes) => {
          const whole = dealt(ids, seed, [ids.length]);
          expect(dealt(ids, seed, sizes)).toEqual(whole);
          const { selection, evaluation } = whole.counts;
          expect(Math.abs(selection.documents - evaluation.documents)).toBeLessThanOrEqual(1);
          expect(selection.tokens).toBe(whole.isSelected.filter(Boolean).length);
          expect(selection.tokens + evaluation.tokens).toBe(ids.length);
          ids.forEach((id, i) => {
            if (i > 0 && ids[i - 1] === id) expect(whole.isSelected[i]).toBe(whole.isSelected[i - 1]);
            if (i > 0) expect(whole.documents[i] - whole.documents[i - 1]).toBe(ids[i - 1] === id ? 0 : 1);
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  test("gives other halves for other seeds", () => {
    const ids = Int32Array.from({ length: 60 }, (_, i) => i);
    expect(dealt(ids, 1, [60]).isSelected).not.toEqual(dealt(ids, 2, [60]).isSelected);
  });

  test("takes tokens for documents where it does not know better, and says so", () => {
    const halves = new DocumentHalves(3);
    halves.deal(3);
    halves.deal(4);
    const { unit, selection, evaluation } = halves.counts();
    expect(unit).toBe("token");
    expect([selection.documents, evaluation.documents].sort()).toEqual([3, 4]);
  });
});

test("checkHalves() refuses one document, and says what to do", () => {
  const halves = new DocumentHalves(0);
  halves.deal(9, new Int32Array(9));
  expect(() => checkHalves(halves.counts(), "x.npy")).toThrow(DataError);
  expect(() => checkHalves(halves.counts(), "x.npy")).toThrow(
    /x\.npy.*1 document that counts.*at least 2.*longer sample/,
  );
  halves.deal(1, Int32Array.of(1));
  checkHalves(halves.counts(), "x.npy");
});
