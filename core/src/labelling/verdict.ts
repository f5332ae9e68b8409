import { benjaminiHochberg } from "../statistics/false-discovery.ts";
import { normalTail } from "../statistics/normal.ts";

/**
 * What the sample says of a larger-SAE latent.
 *
 * - `novel`: inserting it into the smaller SAE improves reconstruction;
 * - `reconstruction`: inserting it leaves reconstruction unchanged or makes it worse, a copy, split or absorbed version of what is there;
 * - `undecided`: this sample cannot tell the sign at the chosen false-discovery rate;
 * - `dead`: it never fired on this sample.
 */
export type Verdict = "novel" | "reconstruction" | "undecided" | "dead";

export const verdicts: readonly Verdict[] = ["novel", "reconstruction", "undecided", "dead"];

/** What a sample says of a change to an SAE: the sign of its effect on the error, where the sample can tell. */
export type Effect = "improves" | "worsens" | "undecided" | "silent";

/**
 * Effect of each change from the sign of its ΔMSE, where a two-sided test of ΔMSE = 0 rejects under the Benjamini–Hochberg
 * procedure over all changes that took place, at `falseDiscoveryRate`. Those that did not (`fired` is 0) are silent.
 */
export function decideEffects(
  deltaMse: Float64Array,
  standardError: Float64Array,
  fired: Float64Array,
  falseDiscoveryRate: number,
): { readonly effect: Effect[]; readonly pValue: Float64Array } {
  const pValue = deltaMse.map((delta, j) => {
    if (fired[j] === 0) return Number.NaN;
    return delta === 0 || Number.isNaN(standardError[j]) ? 1 : normalTail(delta / standardError[j]);
  });
  const decided = benjaminiHochberg(pValue, falseDiscoveryRate);
  const effect = Array.from(deltaMse, (delta, j): Effect => {
    if (fired[j] === 0) return "silent";
    if (decided[j] === 0) return "undecided";
    return delta < 0 ? "improves" : "worsens";
  });
  return { effect, pValue };
}

const verdictOf: Readonly<Record<Effect, Verdict>> = {
  improves: "novel",
  worsens: "reconstruction",
  undecided: "undecided",
  silent: "dead",
};

/** Verdict on each latent from the effect of inserting it, as {@link decideEffects} decides it. Arrays are [m]. */
export function decideVerdicts(
  deltaMse: Float64Array,
  standardError: Float64Array,
  fired: Float64Array,
  falseDiscoveryRate: number,
): { readonly verdict: Verdict[]; readonly pValue: Float64Array } {
  const { effect, pValue } = decideEffects(deltaMse, standardError, fired, falseDiscoveryRate);
  return { verdict: effect.map((sign) => verdictOf[sign]), pValue };
}
