import type { Random } from "../linalg/random.ts";

/**
 * What becomes of a family of features in the two SAEs.
 *
 * - `shared`: one feature, which both SAEs know.
 * - `missing`: one feature, which only the larger knows.
 * - `split`: the smaller knows the general feature; the larger has, in its place, one latent for each specific one.
 * - `absorbing`: both know two general features; in the larger each specific latent carries its parents' directions, and the
 *   parents' own latents are silent where it fires.
 * - `refined`: both know the general feature; the larger has, besides, latents for the specific ones.
 */
export type FamilyKind = "shared" | "missing" | "split" | "absorbing" | "refined";

/** One way in which a family occurs: some of its general features, and perhaps a specific one that occurs only with them. */
export interface Variant {
  /** Share of the family's occurrences; the shares of a family sum to 1. */
  readonly share: number;
  /** Features written with strength 1. */
  readonly generals: readonly number[];
  /** Written beside them, at `strength` times theirs. */
  readonly specific?: { readonly feature: number; readonly strength: number };
}

/** Features that occur together. A token has at most one variant of a family. */
export interface Family {
  /** Mean share of the tokens on which the family occurs. */
  readonly rate: number;
  readonly variants: readonly Variant[];
}

/** A family of a world whose SAEs are planted. */
export interface PlantedFamily extends Family {
  readonly kind: FamilyKind;
}

const FLAT_RATE = 0.021;
const HIERARCHY_RATE = 0.042;
const SPLIT_SHARES = [0.31, 0.26, 0.23, 0.2];

/** The families of a toy world, in which features are numbered from 0 in the order they are first named. */
export function drawFamilies(random: Random): PlantedFamily[] {
  let features = 0;
  const feature = () => features++;
  const strength = (low: number, high: number) => ({
    feature: feature(),
    strength: low + (high - low) * random(),
  });
  const families: PlantedFamily[] = [];
  const add = (kind: FamilyKind, count: number, topRate: number, variants: () => Variant[]) => {
    for (let rank = 0; rank < count; rank++)
      families.push({ kind, rate: topRate * ((rank + 3) / 3) ** -0.3, variants: variants() });
  };
  add("absorbing", 14, 1.5 * HIERARCHY_RATE, () => {
    const [first, second] = [feature(), feature()];
    return [
      { share: 0.21, generals: [first] },
      { share: 0.18, generals: [second] },
      { share: 0.07, generals: [first, second] },
      { share: 0.18, generals: [first], specific: strength(0.65, 0.9) },
      { share: 0.18, generals: [second], specific: strength(0.65, 0.9) },
      { share: 0.18, generals: [first, second], specific: strength(0.65, 0.9) },
    ];
  });
  add("split", 12, 1.2 * HIERARCHY_RATE, () => {
    const general = feature();
    return SPLIT_SHARES.map((share) => ({ share, generals: [general], specific: strength(0.6, 0.78) }));
  });
  add("refined", 14, HIERARCHY_RATE, () => {
    const general = feature();
    return [
      { share: 0.4, generals: [general] },
      { share: 0.33, generals: [general], specific: strength(0.9, 1.1) },
      { share: 0.27, generals: [general], specific: strength(0.9, 1.1) },
    ];
  });
  add("shared", 70, FLAT_RATE, () => [{ share: 1, generals: [feature()] }]);
  add("missing", 50, FLAT_RATE, () => [{ share: 1, generals: [feature()] }]);
  return families;
}

/** The features that occur in any of `variants`, each once. */
export function featuresOf(variants: readonly Variant[]): number[] {
  const all = variants.flatMap(({ generals, specific }) =>
    specific ? [...generals, specific.feature] : [...generals],
  );
  return [...new Set(all)];
}
