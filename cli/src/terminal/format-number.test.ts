import { expect, test } from "vitest";
import {
  formatCount,
  formatFixed,
  formatNumber,
  formatScientific,
  formatSeconds,
  formatShare,
} from "./format-number.ts";

test("numbers are written for people", () => {
  expect(formatCount(412717)).toBe("412,717");
  expect(formatNumber(0.0746477)).toBe("0.07465");
  expect(formatNumber(0.00001234)).toBe("1.234e-5");
  expect(formatNumber(12345678, 3)).toBe("1.23e7");
  expect(formatNumber(0)).toBe("0");
  expect(formatScientific(-0.000284)).toBe("-2.84e-4");
  expect(formatFixed(0.94127, 3)).toBe("0.941");
  expect(formatShare(0.316)).toBe("31.6 %");
});

test("what is not defined is a dash", () => {
  for (const format of [
    formatNumber,
    formatScientific,
    formatShare,
    (value: number | null) => formatFixed(value, 2),
  ])
    expect([format(null), format(Number.NaN)]).toEqual(["–", "–"]);
});

test("formatSeconds() uses two units at most", () => {
  expect([4.2, 130, 11_100, Number.POSITIVE_INFINITY].map(formatSeconds)).toEqual([
    "4 s",
    "2 min 10 s",
    "3 h 5 min",
    "–",
  ]);
});
