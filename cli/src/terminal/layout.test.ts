import { expect, test } from "vitest";
import { binned, histogram } from "./histogram.ts";
import { indented, textTable } from "./text-table.ts";
import { wrap } from "./wrap.ts";

test("textTable() lines columns up and leaves no space at the end of a line", () => {
  const columns = [
    { heading: "name", align: "left" },
    { heading: "n", align: "right" },
    { heading: "", align: "left" },
  ] as const;
  expect(
    textTable(columns, [
      ["a", "10", ""],
      ["bcdef", "1", "x"],
    ]),
  ).toBe("name    n\na      10\nbcdef   1  x");
});

test("textTable() without headings has no line for them", () => {
  expect(textTable([{ heading: "", align: "left" }], [["a"]])).toBe("a");
});

test("indented() moves every line that is not empty", () => {
  expect(indented("a\n\nb")).toBe("  a\n\n  b");
});

test("wrap() breaks at spaces and keeps given line ends", () => {
  expect(wrap("one two three\nfour", 8)).toBe("one two\nthree\nfour");
  expect(wrap("extraordinary word", 5)).toBe("extraordinary\nword");
});

const series = (values: number[], others: number[] = []) => [
  { name: "a", character: "█", values },
  { name: "b", character: "▒", values: others },
];

test("binned() counts every value once, in bins that meet", () => {
  expect(binned(series([0.05, 0.1, 0.3], [0.31]), 0.1).map(({ counts }) => counts)).toEqual([
    [1, 0],
    [1, 0],
    [0, 0],
    [1, 1],
  ]);
  expect(binned(series([-0.05, 0.05]), 0.1).map(({ lower }) => lower)).toEqual([-0.1, 0]);
  expect(binned(series([]), 0.1)).toEqual([]);
});

test("histogram() stacks the series, the longest bar as wide as asked", () => {
  expect(histogram(series([0.5, 0.5, 0.65], [0.5, 0.5]), 0.1, 8)).toBe(
    " 0.5 to  0.6  4  ████▒▒▒▒\n 0.6 to  0.7  1  ██",
  );
});

test("histogram() shows a bin with a single value beside a large one", () => {
  const bars = histogram(series([...Array(1000).fill(0.1), 0.2]), 0.1, 20).split("\n");
  expect(bars[0]).toContain("█".repeat(20));
  expect(bars[1].endsWith("1  █")).toBe(true);
});
