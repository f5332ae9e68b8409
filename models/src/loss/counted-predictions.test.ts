import { describe, expect, test } from "vitest";
import { countedPredictions } from "./counted-predictions.ts";

const windowOf = (...documentIds: number[]) => ({
  tokenIds: new Int32Array(documentIds.length),
  documentIds: Int32Array.from(documentIds),
  excluded: new Uint8Array(documentIds.length),
});

describe("countedPredictions()", () => {
  test("counts where the next token of the window is of the same document", () => {
    const counted = countedPredictions([windowOf(3, 3, 3, 4, 5, 5), windowOf(5, 5)], 7);
    expect([...counted.entries]).toEqual([0, 1, 4, 7]);
    expect([...counted.documentIds]).toEqual([3, 3, 5, 5]);
  });

  test("counts nothing in a window of one token", () => {
    expect(countedPredictions([windowOf(1), windowOf(2)], 1).entries).toHaveLength(0);
  });
});
