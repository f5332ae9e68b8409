import type { Family } from "./families.ts";

/** A family that holds more than this share of an SAE's latents is not a family any more. */
const GIANT_SHARE = 0.1;

/** How large families are. */
export interface FamilySizes {
  /** How many families have so many latents of either SAE: pairs first, then more; lone latents of one SAE last. */
  readonly counts: readonly {
    readonly smaller: number;
    readonly larger: number;
    readonly families: number;
  }[];
  /** Index of the family with the most latents, the first of several; null when there are no families. */
  readonly largest: number | null;
  /** For people: what to do about a family that holds more than a tenth of either SAE; null when none does. */
  readonly warning: string | null;
}

/** Count `families`, which together hold all latents of both SAEs, by their size. */
export function familySizes(families: readonly Family[]): FamilySizes {
  const counts = new Map<string, { smaller: number; larger: number; families: number }>();
  let [mSmaller, mLarger] = [0, 0];
  let largest: number | null = null;
  families.forEach((family, index) => {
    const [smaller, larger] = [family.smaller.length, family.larger.length];
    mSmaller += smaller;
    mLarger += larger;
    const same = counts.get(`${smaller} ${larger}`) ?? { smaller, larger, families: 0 };
    counts.set(`${smaller} ${larger}`, { ...same, families: same.families + 1 });
    if (largest === null || smaller + larger > sizeOf(families[largest])) largest = index;
  });
  const isLone = ({ smaller, larger }: { smaller: number; larger: number }) => smaller === 0 || larger === 0;
  return {
    counts: [...counts.values()].sort(
      (a, b) =>
        Number(isLone(a)) - Number(isLone(b)) ||
        a.smaller + a.larger - b.smaller - b.larger ||
        a.smaller - b.smaller,
    ),
    largest,
    warning: giantWarning(families, mSmaller, mLarger),
  };
}

/** About the family with the greatest share of an SAE. A single latent is a large share only of a tiny SAE. */
function giantWarning(families: readonly Family[], mSmaller: number, mLarger: number): string | null {
  const shareOf = ({ smaller, larger }: Family) => {
    const share = (latents: number, m: number) => (latents > 1 ? latents / m : 0);
    return Math.max(share(smaller.length, mSmaller), share(larger.length, mLarger));
  };
  let giant: Family | undefined;
  for (const family of families)
    if (shareOf(family) > (giant === undefined ? GIANT_SHARE : shareOf(giant))) giant = family;
  if (giant === undefined) return null;
  return (
    `One family holds ${giant.smaller.length} of the ${mSmaller} latents of the smaller SAE and ${giant.larger.length} of the ${mLarger} of the larger: ` +
    "chains of similar directions have joined what need not be swapped together. Raise --cosine, or use --rule evidence"
  );
}

function sizeOf({ smaller, larger }: Family): number {
  return smaller.length + larger.length;
}
