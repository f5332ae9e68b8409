import { UnsupportedError } from "../errors.ts";

/** What a dictionary may cost at most; a part left out is not limited. */
export interface Budget {
  /** Latents. */
  readonly latents?: number;
  /** Mean number of active latents per token. */
  readonly l0?: number;
}

/** What a dictionary costs already, on some tokens. */
export interface Spent {
  readonly size: number;
  /** Firings of all its latents together. */
  readonly entries: number;
  readonly tokens: number;
}

/** Throw {@link UnsupportedError} unless a dictionary can keep within the budget, and what it has spent already does. */
export function checkBudget(
  { latents = Number.POSITIVE_INFINITY, l0 = Number.POSITIVE_INFINITY }: Budget,
  spent?: Spent,
): void {
  if (!(latents >= 1 && (Number.isInteger(latents) || latents === Number.POSITIVE_INFINITY)))
    throw new UnsupportedError(
      `A budget of ${latents} latents cannot be met: give a whole number of at least 1`,
    );
  if (!(l0 > 0)) throw new UnsupportedError(`A budget of L0 ${l0} cannot be met: give a number above 0`);
  if (spent === undefined) return;
  if (spent.size > latents)
    throw new UnsupportedError(
      `A budget of ${latents} latents cannot be met from a start of ${spent.size}: give at least ${spent.size}, or start from fewer`,
    );
  if (spent.entries > entriesWithin(l0, spent.tokens))
    throw new UnsupportedError(
      `A budget of L0 ${l0} cannot be met from a start of ${spent.size} latents, whose L0 is ${(spent.entries / spent.tokens).toFixed(3)}: ` +
        "give at least that, or start from fewer",
    );
}

/** Firings that a mean of `l0` per token allows. */
export function entriesWithin(l0: number, tokens: number): number {
  // A mean that was computed as entries / tokens must allow those entries.
  return Math.floor(l0 * tokens * (1 + 1e-12));
}
