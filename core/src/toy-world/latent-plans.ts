import type { Random } from "../linalg/random.ts";
import type { Family, PlantedFamily } from "./families.ts";

/** What a latent of the larger SAE was planted as. */
export interface PlantedLatent {
  /**
   * - `novel`: carries something the smaller SAE lacks;
   * - `copy`: a latent of the smaller, slightly turned;
   * - `split`: fires on a part of the firings of one latent of the smaller, whose siblings fire on the rest;
   * - `absorbing`: carries the directions of one or two general features, whose own latents are silent where it fires.
   */
  readonly kind: "novel" | "copy" | "split" | "absorbing";
  /** True features whose directions it carries, the one that makes it fire first. */
  readonly features: readonly number[];
  /** Latents of the smaller SAE whose directions it carries. */
  readonly sources: readonly number[];
  /** One line for people. */
  readonly description: string;
}

/** A vector as a sum of features' directions. */
export type Mixture = readonly { readonly feature: number; readonly weight: number }[];

/** A latent before it has numbers: in terms of true features, at strength 1. */
export interface LatentPlan {
  readonly kind: PlantedLatent["kind"];
  /** Its direction, not yet of length 1; its firing feature first. */
  readonly direction: Mixture;
  /** What it reads: the inner product with the features present is its activation. */
  readonly reads: Mixture;
  /** The activation where it should fire, for features of strength 1. */
  readonly response: number;
  /** How far its direction is turned at random, as the tangent of the angle. */
  readonly turn: number;
  readonly description: string;
}

/**
 * Share of its activation that a latent for a specific feature owes to the general ones beside it. Reading all that is there makes
 * it less prone to interference; the share is too small for the general features to make it fire alone.
 */
const GENERAL_READING = 0.25;

/** The latents of the smaller SAE: one for every general feature but those of `missing` families. */
export function planSmaller(families: readonly PlantedFamily[]): LatentPlan[] {
  return families
    .filter(({ kind }) => kind !== "missing")
    .flatMap((family) => generalsOf(family).map((feature) => planGeneral("copy", feature, [], 0)));
}

/** The latents of the larger SAE, family by family. */
export function planLarger(families: readonly PlantedFamily[], random: Random): LatentPlan[] {
  const turn = () => 0.05 + 0.3 * random();
  return families.flatMap((family): LatentPlan[] => {
    const generals = generalsOf(family);
    switch (family.kind) {
      case "shared":
        return generals.map((feature) => planGeneral("copy", feature, [], turn()));
      case "missing":
        return generals.map((feature) => planGeneral("novel", feature, [], turn()));
      case "split":
        return family.variants.map((_, i) => planSplit(family, i));
      case "absorbing":
        return [
          ...generals.map((feature) => planSilenced(family, feature, turn())),
          ...planAbsorbing(family),
        ];
      case "refined":
        return planRefined(family, turn(), random);
      default:
        return family.kind satisfies never;
    }
  });
}

function generalsOf({ variants }: Family): number[] {
  return [...new Set(variants.flatMap(({ generals }) => generals))];
}

/** A latent for one feature, which yields to others: where a feature of `yields` is present its activation is lowered. */
function planGeneral(kind: "copy" | "novel", feature: number, yields: Mixture, turn: number): LatentPlan {
  const own = { feature, weight: 1 };
  const description =
    kind === "copy" ? `copy of feature ${feature}` : `feature ${feature}, missing in the smaller`;
  return { kind, direction: [own], reads: [own, ...yields], response: 1, turn, description };
}

function planSplit({ variants }: Family, i: number): LatentPlan {
  const { generals, specific } = variants[i];
  const siblings = variants.flatMap((variant, k) =>
    k === i || !variant.specific ? [] : [{ feature: variant.specific.feature, weight: -GENERAL_READING }],
  );
  const plan = planSpecific("split", generals, specific!);
  const description = `feature ${generals[0]} where ${specific!.feature} is present`;
  return { ...plan, reads: [...plan.reads, ...siblings], description };
}

/** The general latent in a family with absorption: copies its feature, but is silent where a specific one is present. */
function planSilenced({ variants }: Family, feature: number, turn: number): LatentPlan {
  const absorbed = variants.flatMap(({ generals, specific }) =>
    specific && generals.includes(feature) ? [specific] : [],
  );
  // 0.7 leaves less than the threshold, and reads less noise than 1 would.
  const yields = absorbed.map((specific) => ({
    feature: specific.feature,
    weight: -0.7 / specific.strength,
  }));
  const silences = absorbed.map((specific) => specific.feature).join(" or ");
  return {
    ...planGeneral("copy", feature, yields, turn),
    description: `copy of feature ${feature}, silent where ${silences} is present`,
  };
}

function planAbsorbing({ variants }: Family): LatentPlan[] {
  return variants.flatMap(({ generals, specific }) =>
    specific
      ? {
          ...planSpecific("absorbing", generals, specific),
          description: `feature ${specific.feature}, which has absorbed ${generals.join(" and ")}`,
        }
      : [],
  );
}

/** A latent that writes a whole variant: the specific feature together with its general ones. */
function planSpecific(
  kind: "split" | "absorbing",
  generals: readonly number[],
  specific: { readonly feature: number; readonly strength: number },
): Omit<LatentPlan, "description"> {
  const response = Math.sqrt(generals.length + specific.strength ** 2);
  return {
    kind,
    direction: [
      { feature: specific.feature, weight: specific.strength },
      ...generals.map((feature) => ({ feature, weight: 1 })),
    ],
    reads: [
      { feature: specific.feature, weight: ((1 - GENERAL_READING) * response) / specific.strength },
      ...generals.map((feature) => ({ feature, weight: (GENERAL_READING * response) / generals.length })),
    ],
    response,
    turn: 0.08,
  };
}

/**
 * The general latent, and specific ones that carry their own feature and a share of the general one, which the general latent
 * leaves to them. A specific latent improves the smaller SAE while its activation stays below twice what the residual holds along
 * its direction, that is below 2 / (1 + share²) of its feature's strength: the more it shares, the more timidly it fires.
 */
function planRefined({ variants }: Family, turn: number, random: Random): LatentPlan[] {
  const general = variants[0].generals[0];
  const specifics = variants.flatMap(({ specific }) => {
    if (!specific) return [];
    const share = 0.3 + 0.95 * random();
    return { ...specific, share, uptake: Math.min(1, 1 / (1 + share ** 2)) };
  });
  const yields = specifics.map(({ feature, share, uptake }) => ({ feature, weight: -share * uptake }));
  return [
    planGeneral("copy", general, yields, turn),
    ...specifics.map(({ feature, strength, share, uptake }): LatentPlan => {
      const response = uptake * strength * Math.sqrt(1 + share ** 2);
      return {
        kind: "novel",
        direction: [
          { feature, weight: 1 },
          { feature: general, weight: share },
        ],
        reads: [
          { feature, weight: ((1 - GENERAL_READING) * response) / strength },
          { feature: general, weight: GENERAL_READING * response },
        ],
        response,
        turn: 0.08,
        description: `feature ${feature}, missing in the smaller, and a part of ${general}`,
      };
    }),
  ];
}
