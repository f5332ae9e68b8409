/** One kind of thing counted in a histogram, and the character its part of a bar is made of. */
export interface Series {
  readonly name: string;
  readonly character: string;
  readonly values: readonly number[];
}

/** One bin of a histogram: values from `lower` to `upper` (exclusive, but for the last bin), counted by series. */
export interface Bin {
  readonly lower: number;
  readonly upper: number;
  readonly counts: readonly number[];
}

/** Count the values of each series in bins of `width`, a whole number of which covers the range, from `lowest` found up to `highest` found. */
export function binned(series: readonly Series[], width: number): Bin[] {
  const all = series.flatMap(({ values }) => values);
  if (all.length === 0) return [];
  const binOf = (value: number) => Math.floor(value / width + 1e-9);
  const first = all.reduce((least, value) => Math.min(least, binOf(value)), Number.POSITIVE_INFINITY);
  const last = all.reduce((most, value) => Math.max(most, binOf(value)), Number.NEGATIVE_INFINITY);
  const bins = Array.from({ length: last - first + 1 }, (_, i) => ({
    lower: (first + i) * width,
    upper: (first + i + 1) * width,
    counts: series.map(() => 0),
  }));
  series.forEach(({ values }, s) => {
    for (const value of values) bins[binOf(value) - first].counts[s]++;
  });
  return bins;
}

/** A bar per bin, made of the characters of the series one after the other; the longest has `barWidth` characters. */
export function histogram(series: readonly Series[], binWidth: number, barWidth: number): string {
  const bins = binned(series, binWidth);
  const totals = bins.map(({ counts }) => counts.reduce((sum, count) => sum + count, 0));
  const perCharacter = Math.max(1, ...totals) / barWidth;
  const countWidth = Math.max(...totals.map((total) => String(total).length), 0);
  const decimals = Math.max(0, Math.ceil(-Math.log10(binWidth) - 1e-9));
  const edge = (value: number) => value.toFixed(decimals).padStart(decimals + 3);
  return bins
    .map(({ lower, upper, counts }, b) => {
      // Lengths are rounded as running totals, so that a stacked bar is as long as its total says.
      let sum = 0;
      let drawn = 0;
      const bar = counts
        .map((count, s) => {
          sum += count;
          const until =
            sum === 0
              ? 0
              : Math.max(drawn + (count > 0 && drawn === 0 ? 1 : 0), Math.round(sum / perCharacter));
          const part = series[s].character.repeat(until - drawn);
          drawn = until;
          return part;
        })
        .join("");
      return `${edge(lower)} to ${edge(upper)}  ${String(totals[b]).padStart(countWidth)}  ${bar}`.trimEnd();
    })
    .join("\n");
}
