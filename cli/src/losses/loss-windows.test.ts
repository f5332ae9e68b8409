import { describe, expect, test } from "vitest";
import { lossWindows } from "./loss-windows.ts";

const windowOf = (tokenIds: number[], excluded: number[]) => ({
  tokenIds: Int32Array.from(tokenIds),
  documentIds: new Int32Array(tokenIds.length).fill(7),
  excluded: Uint8Array.from(excluded),
});
const windows = [
  windowOf([1, 5, 6, 9], [1, 0, 0, 0]),
  windowOf([1, 6], [1, 0]),
  windowOf([1, 8, 8], [1, 0, 0]),
];

describe("lossWindows()", () => {
  test("takes all tokens by default, and no more than there are", () => {
    expect(lossWindows(windows, { excludedTokens: [] })).toEqual(windows);
    expect(lossWindows(windows, { excludedTokens: [], tokens: 100 })).toEqual(windows);
  });

  test("cuts the last window that it takes", () => {
    expect(lossWindows(windows, { excludedTokens: [], tokens: 5 })).toEqual([windows[0], windowOf([1], [1])]);
    expect(lossWindows(windows, { excludedTokens: [], tokens: 6 })).toEqual(windows.slice(0, 2));
  });

  test("marks tokens left out of the sample, beside those marked already, in copies", () => {
    const marked = lossWindows(windows, { excludedTokens: [6, 8] });
    expect(marked.map(({ excluded }) => [...excluded])).toEqual([
      [1, 0, 1, 0],
      [1, 1],
      [1, 1, 1],
    ]);
    expect([...windows[0].excluded]).toEqual([1, 0, 0, 0]);
  });
});
