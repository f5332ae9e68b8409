import type { Kernels } from "../kernels/kernels.ts";
import type { Contender, Method } from "./contenders.ts";
import { type Dictionary, fitBias, fitDecoder, measureDictionaries } from "./dictionary.ts";
import type { EvaluationBatch, PooledTokens } from "./half-sample.ts";
import type { LatentPool } from "./latent-pool.ts";
import { floorFinder } from "./match-l0.ts";
import { paretoFront } from "./pareto-front.ts";

/** What was fitted: nothing (bias and directions as trained), the decoder bias, or bias and directions. */
export type Refit = "none" | "bias" | "decoder";

/** One dictionary, measured on tokens that had no part in making it. */
export interface RivalRow {
  readonly method: Method;
  /** See `Contender.sae`. */
  readonly sae: number | null;
  readonly refit: Refit;
  readonly latents: number;
  readonly l0: number;
  readonly mse: number;
  readonly varianceExplained: number;
  /** See `Dictionary.floor`. */
  readonly floor: number;
  /**
   * How its L0 compares with the common one, on the tokens it was made on: it had that or was `lowered` to it by a floor, or it was
   * `below` already, which no floor can change. `free`: left as it is.
   */
  readonly matching: "lowered" | "below" | "free";
  /** Whether no other row has both a lower L0 and a lower MSE. */
  readonly isOnFront: boolean;
  readonly notes: readonly string[];
}

/** How the error of a dictionary rises as a floor lowers its L0; its bias re-fitted at each point. Descending L0. */
export interface RivalCurve {
  readonly method: Method;
  readonly sae: number | null;
  readonly points: readonly { readonly floor: number; readonly l0: number; readonly mse: number }[];
}

/** Contenders compared at one L0. */
export interface Comparison {
  /** The common L0, on the tokens that the dictionaries were made on. */
  readonly l0: number;
  readonly rows: readonly RivalRow[];
  readonly curves: readonly RivalCurve[];
  /** The dictionary behind each row. */
  readonly dictionaries: readonly Dictionary[];
}

/** Shares of the common L0 at which curves have a point, besides their natural L0. */
const CURVE = [1, 0.9, 0.8, 0.7, 0.6, 0.5];
/** Of a decoder re-fit, unless said otherwise; few need them all. */
const MOST_ITERATIONS = 50;
/** A natural L0 within this share of the common one counts as equal. */
const EQUAL = 0.01;

/**
 * Compare contenders at equal L0: of each, all activations below one floor of its own are dropped, so that the mean number left on
 * `tokens` is the common L0; then bias, and once more bias and directions, are fitted on `tokens`, and everything is measured on
 * `evaluation`. What was trained also competes as it is.
 *
 * The common L0 is `l0`, or else the lowest of the contenders.
 */
export async function compareContenders(
  contenders: readonly Contender[],
  pool: LatentPool,
  tokens: PooledTokens,
  evaluation: () => AsyncIterable<EvaluationBatch>,
  kernels: Kernels,
  {
    l0,
    iterations = MOST_ITERATIONS,
    onDone = () => {},
  }: {
    readonly l0?: number;
    /** Of each decoder re-fit, at most. */
    readonly iterations?: number;
    /** Called with the contenders done, after each and, in parts of one, after each iteration of its re-fit. */
    readonly onDone?: (done: number, of: number) => void | Promise<void>;
  } = {},
): Promise<Comparison> {
  const finders = contenders.map(({ latents }) => floorFinder(tokens, pool, latents));
  const common = l0 ?? Math.min(...finders.map((finder, i) => finder.l0At(contenders[i].floor)));
  const entrants: Entrant[] = [];
  for (const [i, contender] of contenders.entries()) {
    const { trainedBias, floor, refits } = contender;
    const { floorFor, l0At } = finders[i];
    const natural = l0At(floor);
    const enter = (refit: Entrant["refit"], matching: RivalRow["matching"], dictionary: Dictionary) =>
      entrants.push({ contender, refit, matching, dictionary });
    const matching = natural < common * (1 - EQUAL) ? "below" : "lowered";
    const biased = fitBias({ ...contender, floor: Math.max(floor, floorFor(common)) }, pool, tokens);
    if (trainedBias !== null) enter("none", "free", { ...biased, bias: trainedBias, floor: 0 });
    if (refits.includes("bias")) enter("bias", matching, biased);
    if (refits.includes("decoder"))
      enter(
        "decoder",
        matching,
        await fitDecoder(biased, pool, tokens, kernels, {
          iterations,
          onIteration: (iteration) => onDone(i + iteration / (iterations + 1), contenders.length),
        }),
      );
    if (refits.includes("bias")) {
      const costs = CURVE.map((share) => share * common).filter((cost) => cost < natural);
      for (const lower of new Set([floor, ...costs.map(floorFor)]))
        enter("curve", "free", fitBias({ ...contender, floor: lower }, pool, tokens));
    }
    await onDone(i + 1, contenders.length);
  }
  return { l0: common, ...(await measure(entrants, contenders, pool, evaluation, kernels)) };
}

interface Entrant {
  readonly contender: Contender;
  readonly refit: Refit | "curve";
  readonly matching: RivalRow["matching"];
  readonly dictionary: Dictionary;
}

async function measure(
  entrants: readonly Entrant[],
  contenders: readonly Contender[],
  pool: LatentPool,
  evaluation: () => AsyncIterable<EvaluationBatch>,
  kernels: Kernels,
): Promise<Omit<Comparison, "l0">> {
  const dictionaries = entrants.map(({ dictionary }) => dictionary);
  const metrics = await measureDictionaries(dictionaries, pool, evaluation(), kernels);
  const measured = entrants.map((entrant, i) => ({ ...entrant, ...metrics[i] }));
  const tabled = measured.filter(({ refit }) => refit !== "curve");
  const front = new Set(paretoFront(tabled));
  const rows = tabled.map(
    (row): RivalRow => ({
      method: row.contender.method,
      sae: row.contender.sae,
      refit: row.refit as Refit,
      latents: row.dictionary.latents.length,
      l0: row.l0,
      mse: row.mse,
      varianceExplained: row.varianceExplained,
      floor: row.dictionary.floor,
      matching: row.matching,
      isOnFront: front.has(row),
      notes: row.contender.notes,
    }),
  );
  const curved = contenders.filter(({ refits }) => refits.includes("bias"));
  const curves = curved.map((contender) => ({
    method: contender.method,
    sae: contender.sae,
    points: measured
      .filter((point) => point.refit === "curve" && point.contender === contender)
      .map(({ dictionary, l0, mse }) => ({ floor: dictionary.floor, l0, mse }))
      .sort((a, b) => b.l0 - a.l0),
  }));
  return { rows, curves, dictionaries: tabled.map(({ dictionary }) => dictionary) };
}
