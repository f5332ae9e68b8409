import { expect, test } from "vitest";
import { decideVerdicts } from "./verdict.ts";

const decide = (deltaMse: number[], standardError: number[], fired: number[], rate = 0.05) =>
  decideVerdicts(
    Float64Array.from(deltaMse),
    Float64Array.from(standardError),
    Float64Array.from(fired),
    rate,
  );

test("decideVerdicts() follows the sign of ΔMSE where it is certain, and says so where it is not", () => {
  const { verdict } = decide([-8, 8, -0.5, 0, 0], [1, 1, 1, 1, 1], [9, 9, 9, 9, 0]);
  expect(verdict).toEqual(["novel", "reconstruction", "undecided", "undecided", "dead"]);
});

test("decideVerdicts() decides nothing from fewer than two documents, whose standard error is NaN", () => {
  expect(decide([-8], [Number.NaN], [9]).verdict).toEqual(["undecided"]);
});

test("decideVerdicts() asks more of one latent among many than of one alone", () => {
  const alone = decide([-2.1], [1], [9]);
  const among = decide([-2.1, ...new Array(99).fill(0.1)], new Array(100).fill(1), new Array(100).fill(9));
  expect(alone.verdict[0]).toBe("novel");
  expect(among.verdict[0]).toBe("undecided");
});

test("decideVerdicts() leaves dead latents out of the number of tests", () => {
  const dead = new Array(99).fill(0);
  expect(decide([-2.1, ...dead], new Array(100).fill(1), [9, ...dead]).verdict[0]).toBe("novel");
});

test("decideVerdicts() gives the two-sided p-value, NaN for a dead latent", () => {
  const { pValue } = decide([1.959963984540054, -1, 0], [1, 0, 1], [1, 1, 0]);
  expect(pValue[0]).toBeCloseTo(0.05, 12);
  expect(pValue[1]).toBe(0);
  expect(pValue[2]).toBeNaN();
});
