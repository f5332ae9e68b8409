import type { CodedSample } from "../codes/coded-sample.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { makePlan, type PlanOrder } from "./make-plan.ts";
import {
  type CosineFamilies,
  cosineFamilies,
  defaultFamilyOptions,
  type FamilyOptions,
  type FamilyReport,
  measureFamilies,
} from "./measure-families.ts";
import type { Plan, PlannedPair } from "./plan.ts";

/**
 * Find the families of the two SAEs of `coded` (smaller, larger) and put their swaps in order: a plan of the whole way.
 *
 * Only what is asked for is measured: families by cosine in any order but `gain` need no activations. Throws as `measureFamilies` does.
 */
export async function planTrajectory(
  coded: CodedSample,
  pair: PlannedPair,
  kernels: Kernels,
  {
    order = "cosine",
    seed = 0,
    cosine = defaultFamilyOptions.cosine,
    rule = defaultFamilyOptions.rule,
    onRows = () => {},
  }: Partial<Pick<FamilyOptions, "cosine" | "rule">> & {
    readonly order?: PlanOrder["kind"];
    /** Of the order `random`. */
    readonly seed?: number;
    /** Called with the rows done, of all passes together, and how many there are to do; never where nothing is measured. */
    readonly onRows?: (done: number, of: number) => void;
  } = {},
): Promise<Plan> {
  const [smaller, larger] = coded.saes;
  const withOrder = (found: CosineFamilies, by: PlanOrder) => makePlan(pair, found.families, by);
  if (order === "gain") {
    const report: FamilyReport = await measureFamilies(coded, kernels, { cosine, rule, onRows });
    return withOrder(report, { kind: "gain", deltaMse: report.swaps.deltaMse });
  }
  const found =
    rule === "cosine"
      ? await cosineFamilies(smaller, larger, kernels, { cosine })
      : await measureFamilies(coded, kernels, { cosine, rule, onRows });
  if (order === "random") return withOrder(found, { kind: "random", random: seededRandom(seed) });
  const { cosines } = await kernels.match(larger.decoder, smaller.decoder, 1);
  return withOrder(found, { kind: "cosine", cosine: cosines, edges: found.edges });
}
