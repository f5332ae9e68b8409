import type { TokenExample } from "./token-example.ts";

/** An example of how strongly a latent fires usually. */
export interface QuantileExample extends TokenExample {
  /** Share of the firings that are at most as strong. */
  readonly quantile: number;
}

/** Fewer examples than this are kept; half as many of those there were are left when there are so many. */
const MOST_KEPT = 512;

/** Firings at equal distances through the sample: the first, and every so many after it, so that not more than a few hundred are kept. */
export class SpreadExamples {
  #examples: TokenExample[] = [];
  #stride = 1;

  /** Whether the firing of this number, counted from 0, is kept. */
  wants(firing: number): boolean {
    return firing % this.#stride === 0;
  }

  /** Add a firing that is wanted. */
  add(example: TokenExample): void {
    this.#examples.push(example);
    if (this.#examples.length < MOST_KEPT) return;
    this.#examples = this.#examples.filter((_, i) => i % 2 === 0);
    this.#stride *= 2;
  }

  /** Examples at `count` quantiles that lie evenly between 0 and 1, the highest first, without those at the rows `taken`. */
  quantiles(count: number, taken: ReadonlySet<number>): QuantileExample[] {
    const ascending = this.#examples.toSorted((a, b) => a.activation - b.activation || a.row - b.row);
    const used = new Set(taken);
    const chosen: QuantileExample[] = [];
    for (let i = count; i > 0 && ascending.length > 0; i--) {
      const quantile = i / (count + 1);
      const example = ascending[Math.round(quantile * (ascending.length - 1))];
      if (used.has(example.row)) continue;
      used.add(example.row);
      chosen.push({ quantile, ...example });
    }
    return chosen;
  }
}
