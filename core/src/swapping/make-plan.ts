import type { Random } from "../linalg/random.ts";
import type { Edge, Family } from "./families.ts";
import type { Plan, PlannedPair } from "./plan.ts";

/**
 * How steps are ordered within each phase of a plan, and the evidence for it; equals keep the order of their families.
 *
 * - `cosine`: the least similar novel latents first, and families with the highest mean cosine of their edges first;
 * - `gain`: the largest measured improvement first;
 * - `random`: shuffled.
 */
export type PlanOrder =
  | {
      readonly kind: "cosine";
      /** [m of the larger SAE] highest decoder cosine to any latent of the smaller. */
      readonly cosine: ArrayLike<number>;
      /** All edges between members of the families. */
      readonly edges: readonly Edge[];
    }
  | {
      readonly kind: "gain";
      /** [families] change of the MSE when the family alone is swapped; NaN comes last. */
      readonly deltaMse: ArrayLike<number>;
    }
  | { readonly kind: "random"; readonly random: Random };

/**
 * A plan that swaps each family in a step of its own: first the novel latents (families of the larger SAE alone), then families
 * of both, at last the latents of the smaller SAE that have no counterpart, which are removed. Where gains are known, latents of the
 * larger SAE that have no counterpart but gain nothing alone are not novel: they come after the families of both.
 *
 * When every latent of both SAEs is in one family, the plan ends at the larger SAE.
 */
export function makePlan(
  { smaller, larger }: PlannedPair,
  families: readonly Family[],
  order: PlanOrder,
): Plan {
  const key = sortKey(families, order);
  const isNovel = (f: number) => order.kind !== "gain" || order.deltaMse[f] < 0;
  const steps = families.map((family, f) => ({
    phase: phaseOf(family, isNovel(f)),
    at: key(f),
    step: { remove: family.smaller, insert: family.larger, note: noteOn(family, isNovel(f)) },
  }));
  steps.sort((a, b) => a.phase - b.phase || a.at - b.at);
  return { schema: "saestitch.plan/1", smaller, larger, steps: steps.map(({ step }) => step) };
}

function phaseOf({ smaller, larger }: Family, isNovel: boolean): number {
  if (smaller.length === 0) return isNovel ? 0 : 2;
  return larger.length === 0 ? 3 : 1;
}

/** What the family's step is sorted by, ascending. */
function sortKey(families: readonly Family[], order: PlanOrder): (family: number) => number {
  switch (order.kind) {
    case "cosine": {
      const within = meanEdgeCosines(families, order.edges);
      return (f) => {
        const { smaller, larger } = families[f];
        if (smaller.length > 0) return -within[f];
        return larger.reduce((most, latent) => Math.max(most, order.cosine[latent]), -1);
      };
    }
    case "gain":
      return (f) => (Number.isNaN(order.deltaMse[f]) ? Number.MAX_VALUE : order.deltaMse[f]);
    case "random":
      return () => order.random();
    default:
      return order satisfies never;
  }
}

/** Mean cosine of the edges of every family; 0 for one that has none. */
function meanEdgeCosines(families: readonly Family[], edges: readonly Edge[]): Float64Array {
  const familyOf = new Map(families.flatMap(({ larger }, f) => larger.map((latent) => [latent, f] as const)));
  const sums = new Float64Array(families.length);
  const counts = new Float64Array(families.length);
  for (const { larger, cosine } of edges) {
    const family = familyOf.get(larger);
    if (family === undefined) continue;
    sums[family] += cosine;
    counts[family]++;
  }
  return sums.map((sum, f) => (counts[f] === 0 ? 0 : sum / counts[f]));
}

function noteOn({ smaller, larger }: Family, isNovel: boolean): string {
  const latents = smaller.length + larger.length;
  if (smaller.length > 0 && larger.length > 0)
    return `family of ${latents}: ${smaller.length} out, ${larger.length} in`;
  const name = smaller.length === 0 && isNovel ? "novel" : "without counterpart";
  return latents === 1 ? name : `${name}, ${latents} together`;
}
