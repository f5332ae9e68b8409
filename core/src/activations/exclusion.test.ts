import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../errors.ts";
import { matrix } from "../tensor/matrix.ts";
import { collectRows, describeActivationSource } from "./activation-source.conformance.ts";
import type { ActivationBatch, ActivationSource } from "./activation-source.ts";
import { excludeTokens, findBosToken, includedRows, nonFiniteRows } from "./exclusion.ts";
import { activationsInMemory } from "./in-memory.ts";

/** A sample whose rows are told apart by their one activation, the row number. */
function sample(columns: {
  documentIds?: readonly number[];
  tokenIds?: readonly number[];
  excluded?: readonly number[];
}): ActivationSource {
  const rows = (columns.documentIds ?? columns.tokenIds ?? columns.excluded ?? []).length;
  return activationsInMemory(
    matrix(
      rows,
      1,
      Float32Array.from({ length: rows }, (_, i) => i),
    ),
    {
      ...(columns.documentIds && { documentIds: Int32Array.from(columns.documentIds) }),
      ...(columns.tokenIds && { tokenIds: Int32Array.from(columns.tokenIds) }),
      ...(columns.excluded && { excluded: Uint8Array.from(columns.excluded) }),
    },
  );
}

describe("findBosToken()", () => {
  test("finds the token that begins every document", async () => {
    const source = sample({ documentIds: [4, 4, 4, 9, 9, 2], tokenIds: [1, 5, 1, 1, 7, 1] });
    expect(await findBosToken(source)).toBe(1);
  });

  test("finds token 0", async () => {
    expect(await findBosToken(sample({ documentIds: [0, 0, 1], tokenIds: [0, 5, 0] }))).toBe(0);
  });

  test("finds nothing when one document begins otherwise", async () => {
    const source = sample({ documentIds: [0, 0, 1, 2, 2], tokenIds: [1, 5, 1, 6, 1] });
    expect(await findBosToken(source)).toBeUndefined();
  });

  test("finds nothing in a single document, or without ids", async () => {
    expect(await findBosToken(sample({ documentIds: [0, 0, 0], tokenIds: [1, 5, 6] }))).toBeUndefined();
    expect(await findBosToken(sample({ tokenIds: [1, 5, 1] }))).toBeUndefined();
    expect(await findBosToken(sample({ documentIds: [0, 1, 2] }))).toBeUndefined();
    expect(await findBosToken(sample({ documentIds: [], tokenIds: [] }))).toBeUndefined();
  });

  test("looks no further than the documents and rows it is given", async () => {
    const source = sample({ documentIds: [0, 0, 1, 2, 2], tokenIds: [1, 5, 1, 6, 1] });
    expect(await findBosToken(source, { documents: 2 })).toBe(1);
    expect(await findBosToken(source, { rows: 3 })).toBe(1);
    expect(await findBosToken(source, { rows: 4 })).toBeUndefined();
  });
});

describe("excludeTokens()", () => {
  const columns = { documentIds: [0, 0, 1, 1, 1, 2], tokenIds: [1, 5, 1, 6, 5, 1] };

  test("marks the rows of the tokens and leaves everything else as it is", async () => {
    const plain = await collectRows(sample(columns));
    const source = excludeTokens(sample(columns), [1, 6]);
    expect(await collectRows(source)).toEqual({ ...plain, excluded: Uint8Array.from([1, 0, 1, 1, 0, 1]) });
  });

  test("keeps the rows that were already excluded", async () => {
    const source = excludeTokens(sample({ ...columns, excluded: [0, 1, 0, 0, 0, 0] }), [6]);
    expect((await collectRows(source)).excluded).toEqual(Uint8Array.from([0, 1, 0, 1, 0, 0]));
  });

  test("without tokens is the source itself", () => {
    const source = sample({ documentIds: [0, 1] });
    expect(excludeTokens(source, [])).toBe(source);
  });

  test("refuses a source that knows no tokens", async () => {
    const source = excludeTokens(sample({ documentIds: [0, 1] }), [1]);
    await expect(collectRows(source)).rejects.toThrow(DataError);
  });
});

describe("includedRows()", () => {
  const batch: ActivationBatch = {
    start: 100,
    activations: matrix(4, 2, Float32Array.from([0, 1, 10, 11, 20, 21, 30, 31])),
    documentIds: Int32Array.from([7, 7, 8, 8]),
    tokenIds: Int32Array.from([1, 2, 1, 3]),
  };

  test("gives a batch without excluded rows as it is", () => {
    const included = includedRows({ ...batch, excluded: new Uint8Array(4) });
    expect(included.activations).toBe(batch.activations);
    expect(included.documentIds).toBe(batch.documentIds);
    expect(included.tokenIds).toBe(batch.tokenIds);
    expect(included.rows).toBeUndefined();
    expect(included.excluded).toBe(0);
  });

  test("keeps the rows that count, with their ids and row numbers", () => {
    expect(includedRows({ ...batch, excluded: Uint8Array.from([1, 0, 1, 0]) })).toEqual({
      activations: { rows: 2, columns: 2, values: Float32Array.from([10, 11, 30, 31]) },
      documentIds: Int32Array.from([7, 8]),
      tokenIds: Int32Array.from([2, 3]),
      rows: Int32Array.from([101, 103]),
      excluded: 2,
    });
  });

  test("gives no rows when all are excluded", () => {
    const included = includedRows({ ...batch, excluded: new Uint8Array(4).fill(1) });
    expect(included.activations.rows).toBe(0);
    expect(included.activations.columns).toBe(2);
    expect(included.excluded).toBe(4);
  });
});

test("nonFiniteRows() finds exactly the rows that hold NaN or an infinite value", () => {
  const value = fc.oneof(
    { weight: 20, arbitrary: fc.float() },
    { weight: 5, arbitrary: fc.constantFrom(-0, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45) },
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(value, { maxLength: 40 }), (columns, list) => {
      const rows = Math.floor(list.length / columns);
      const values = Float32Array.from(list.slice(0, rows * columns));
      const expected = Array.from({ length: rows }, (_, i) => i).filter(
        (i) => !values.subarray(i * columns, (i + 1) * columns).every(Number.isFinite),
      );
      expect([...nonFiniteRows(matrix(rows, columns, values))]).toEqual(expected);
    }),
  );
});

describeActivationSource("a sample with excluded tokens", () =>
  excludeTokens(
    sample({
      tokenIds: Array.from({ length: 23 }, (_, i) => i % 5),
      documentIds: Array.from({ length: 23 }, (_, i) => i >> 2),
    }),
    [0, 3],
  ),
);
