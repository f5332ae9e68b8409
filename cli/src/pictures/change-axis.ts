import * as Plot from "@observablehq/plot";

/** A scale that spreads out changes of both signs over several powers of ten: linear up to their lower quartile, ticks beyond it. */
export function changeScale(changes: readonly number[]): {
  constant: number;
  ticks: number[];
  domain: [number, number];
} {
  const ascending = changes.map(Math.abs).sort((a, b) => a - b);
  const constant = ascending[Math.floor(ascending.length / 4)] || 1e-6;
  const furthest = ascending.at(-1) || constant;
  const lowest = changes.reduce((least, change) => Math.min(least, change), -constant);
  const highest = changes.reduce((most, change) => Math.max(most, change), constant);
  const top = Math.floor(Math.log10(furthest));
  const powers = [top, top - 1, top - 2, top - 3]
    .map((exponent) => 10 ** exponent)
    .filter((power) => power > constant);
  return {
    constant,
    ticks: [0, ...powers, ...powers.map((power) => -power)],
    domain: [1.15 * lowest, 1.15 * highest],
  };
}

/** Which side of zero is which, at the left of the plot. */
export function sideMark(text: string, dy: number): Plot.Markish {
  return Plot.text([0], {
    y: (value: number) => value,
    frameAnchor: "left",
    textAnchor: "start",
    text: () => text,
    dx: 6,
    dy,
    fill: "#444",
  });
}
