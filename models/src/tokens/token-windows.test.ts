import { DataError, parseJsonObject, ShapeError, UnsupportedError } from "@saestitch/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { numberDocuments, numberTokenizer } from "../../test-support/number-tokenizer.ts";
import type { TokenWindow } from "./token-window.ts";
import { tokenWindows } from "./token-windows.ts";
import type { WindowOptions } from "./window-options.ts";

const packed = { arrangement: "packed" } as const;
const apart = { arrangement: "documents" } as const;

function windowsOf(documents: readonly (readonly number[])[], options: WindowOptions) {
  return collect(tokenWindows(numberDocuments(documents), numberTokenizer, options));
}

async function tokensOf(documents: readonly (readonly number[])[], options: WindowOptions) {
  return (await windowsOf(documents, options)).map(({ tokenIds }) => [...tokenIds]);
}

interface Case {
  readonly context: number;
  readonly bos: boolean;
  readonly documents: readonly (readonly number[])[];
  readonly windows: readonly (readonly number[])[];
}

test("tokenWindows() packs documents as SAELens does", async () => {
  const { cases } = parseJsonObject(await readFixture("windows/windows.json"), "windows.json") as {
    cases: Case[];
  };
  expect(cases.length).toBeGreaterThan(30);
  for (const { context, bos, documents, windows } of cases) {
    const made = tokensOf(documents, { ...packed, context, bos });
    if (windows.length === 0) await expect(made).rejects.toThrow(DataError);
    else expect(await made).toEqual(windows);
  }
});

describe("documents apart", () => {
  const documents = [[5, 6, 7, 8, 9], [3], [], [4, 2]];

  test("each begin a window with BOS, and go on in windows of their own", async () => {
    const windows = await windowsOf(documents, { ...apart, context: 3, bos: true });
    expect(windows.map(({ tokenIds }) => [...tokenIds])).toEqual([
      [0, 5, 6],
      [0, 7, 8],
      [0, 9],
      [0, 3],
      [0, 4, 2],
    ]);
    expect(windows.map(({ documentIds }) => [...documentIds])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0],
      [1, 1],
      [3, 3, 3],
    ]);
  });

  test("drop what their first window does not hold, where that is asked for", async () => {
    expect(await tokensOf(documents, { ...apart, context: 3, bos: true, rest: "drop" })).toEqual([
      [0, 5, 6],
      [0, 3],
      [0, 4, 2],
    ]);
  });

  test("do without BOS", async () => {
    expect(await tokensOf(documents, { ...apart, context: 2, bos: false })).toEqual([
      [5, 6],
      [7, 8],
      [9],
      [3],
      [4, 2],
    ]);
  });

  test("that begin with BOS are given no second one", async () => {
    expect(await tokensOf([[0, 7, 8, 9]], { ...apart, context: 3, bos: true })).toEqual([
      [0, 7, 8],
      [0, 9],
    ]);
  });
});

test("tokenWindows() counts a BOS to the document that follows it, and marks special tokens", async () => {
  const windows = await windowsOf([[7], [8, 0, 9], [6, 5, 4]], { ...packed, context: 5, bos: true });
  expect(windows.map(({ tokenIds }) => [...tokenIds])).toEqual([
    [0, 7, 0, 8, 0],
    [0, 9, 0, 6, 5],
  ]);
  expect(windows.map(({ documentIds }) => [...documentIds])).toEqual([
    [0, 0, 1, 1, 1],
    [1, 1, 2, 2, 2],
  ]);
  expect(windows.map(({ excluded }) => [...excluded])).toEqual([
    [1, 0, 1, 0, 1],
    [1, 0, 1, 0, 0],
  ]);
});

test("tokenWindows() with a limit gives the first tokens of what it gives without, and reads no further document", async () => {
  const flat = (windows: readonly TokenWindow[]) => windows.flatMap(({ tokenIds }) => [...tokenIds]);
  const document = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 12 });
  const documents = fc.array(document, { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      documents,
      fc.integer({ min: 2, max: 7 }),
      fc.boolean(),
      fc.constantFrom(packed, apart),
      fc.integer({ min: 1, max: 40 }),
      async (texts, context, bos, arrangement, limit) => {
        const options = { ...arrangement, context, bos };
        // Documents behind, so that a last packed window is full.
        const all = flat(await windowsOf([...texts, ...Array(10).fill([1, 2, 3, 4, 5, 6, 7])], options));
        let read = 0;
        async function* counted() {
          for await (const text of numberDocuments([...texts, ...Array(10).fill([1, 2, 3, 4, 5, 6, 7])])) {
            read++;
            yield text;
          }
        }
        const cut = await collect(tokenWindows(counted(), numberTokenizer, { ...options, limit }));
        expect(flat(cut)).toEqual(all.slice(0, limit));
        expect(cut.every(({ tokenIds }) => tokenIds.length <= context)).toBe(true);
        expect(read).toBeLessThanOrEqual(cut.at(-1)!.documentIds.at(-1)! + 2);
      },
    ),
    { numRuns: 40 },
  );
});

test("tokenWindows() refuses text that makes no window, saying why", async () => {
  const options = { ...packed, context: 4, bos: true };
  for (const documents of [[], [[]], [[], []]])
    for (const arrangement of [packed, apart]) {
      const made = tokensOf(documents, { ...options, ...arrangement });
      await expect(made).rejects.toThrow(DataError);
      await expect(made).rejects.toThrow(/not a single token/);
    }
  await expect(tokensOf([[1]], options)).rejects.toThrow(/make 2 tokens, expected at least a window of 4/);
});

test("tokenWindows() refuses BOS where the tokenizer has none", async () => {
  const { bos: _, ...without } = numberTokenizer;
  const made = collect(tokenWindows(numberDocuments([[1]]), without, { ...apart, context: 4, bos: true }));
  await expect(made).rejects.toThrow(UnsupportedError);
  await expect(made).rejects.toThrow(/numbers has no such token/);
});

test("tokenWindows() refuses sizes that no windows have", async () => {
  for (const options of [
    { context: 1, bos: true },
    { context: 0, bos: false },
    { context: 2.5, bos: false },
    { context: 4, bos: false, limit: 0 },
    { context: 4, bos: false, limit: 1.5 },
  ])
    await expect(tokensOf([[1, 2]], { ...apart, ...options })).rejects.toThrow(ShapeError);
});
