import { UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type Budget, checkBudget } from "./budget.ts";
import { DictionaryFit } from "./dictionary-fit.ts";
import {
  type GreedyOptions,
  type GreedyProgress,
  type GreedyReport,
  selectGreedily,
} from "./greedy-selection.ts";
import type { PooledTokens } from "./half-sample.ts";
import { type LatentPool, latentsOf } from "./latent-pool.ts";
import { floorFinder } from "./match-l0.ts";
import { underFloor } from "./restrict-code.ts";

/**
 * What a greedy selection begins with.
 *
 * - `search`: with nothing, and with each of the largest SAEs that the budget of latents has room for; the best result counts;
 * - `empty`: with nothing;
 * - `sae`: with all latents of one SAE of the pool.
 */
export type Start =
  | { readonly kind: "search" }
  | { readonly kind: "empty" }
  | { readonly kind: "sae"; readonly sae: number };

/** One beginning, and where greedy insertion led from there, before any exchange. */
export interface Trial {
  /** SAE begun with; null for nothing. */
  readonly sae: number | null;
  /** See `Dictionary.floor`. */
  readonly floor: number;
  readonly latents: number;
  readonly l0: number;
  readonly objective: number;
}

/** Latents found by {@link searchSelection}. */
export interface FoundSelection {
  /** Pool ids, ascending. */
  readonly latents: Int32Array;
  /** See `Dictionary.floor`. */
  readonly floor: number;
  readonly trials: readonly Trial[];
  /** Of the last selection, but evaluations of all trials. */
  readonly report: GreedyReport;
}

/** Options of {@link searchSelection}. */
export interface SearchOptions extends Budget, Pick<GreedyOptions, "exchangeShare" | "exchangeRounds"> {
  readonly start?: Start;
  /** Only latents of the first so many SAEs of the pool may be chosen. */
  readonly saes?: number;
}

/** Shares of the L0 that a beginning is trimmed to, so that the rest is left for latents that enter. */
const TRIMMED = [1, 0.9, 0.8, 0.7];

/**
 * Choose latents greedily from several beginnings, and go on with exchange rounds from the best (see {@link selectGreedily}).
 *
 * The activations of an SAE were learned together, so a whole SAE is often a better beginning than nothing. Under a budget of L0
 * each is tried with several floors, below which all activations are dropped, of the chosen and of the candidates: weak activations
 * cost as much L0 as strong ones and explain little. Without such a budget there is no floor.
 *
 * Throws {@link UnsupportedError} for a budget that cannot be met.
 */
export async function* searchSelection(
  tokens: PooledTokens,
  pool: LatentPool,
  kernels: Kernels,
  {
    start = { kind: "search" },
    saes = pool.saes.length,
    exchangeShare,
    exchangeRounds,
    ...budget
  }: SearchOptions = {},
): AsyncGenerator<GreedyProgress, FoundSelection> {
  checkBudget(budget);
  const search = new Search(tokens, pool, kernels, saes, budget);
  let unstarted: Int32Array | undefined;
  if (start.kind !== "sae") unstarted = yield* search.attempt(null, 0, new Int32Array());
  const beginnings = startingSaes(pool, start, saes, budget).map((sae) => ({
    sae,
    ids: latentsOf(pool, sae),
  }));
  for (const { sae, ids } of [...beginnings, ...(unstarted ? [{ sae: null, ids: unstarted }] : [])]) {
    const { floorFor } = floorFinder(tokens, pool, ids);
    const floors = budget.l0 === undefined ? [0] : TRIMMED.map((share) => floorFor(share * budget.l0!));
    for (const floor of new Set(floors))
      if (sae !== null || floor > 0) yield* search.attempt(sae, floor, ids);
  }
  return yield* search.exchange({
    ...(exchangeShare !== undefined && { exchangeShare }),
    ...(exchangeRounds !== undefined && { exchangeRounds }),
  });
}

/** SAEs to begin with, besides nothing. */
function startingSaes({ saes }: LatentPool, start: Start, count: number, { latents }: Budget): number[] {
  const most = latents ?? Number.POSITIVE_INFINITY;
  const sizeOf = (sae: number) => saes[sae].decoder.rows;
  switch (start.kind) {
    case "empty":
      return [];
    case "sae":
      if (start.sae >= count)
        throw new UnsupportedError(
          `Cannot start from SAE ${start.sae}: latents are chosen from ${count} SAEs, numbered from 0`,
        );
      if (sizeOf(start.sae) > most)
        throw new UnsupportedError(
          `A budget of ${latents} latents cannot be met from a start of ${sizeOf(start.sae)}: give at least ${sizeOf(start.sae)}, or start from a smaller SAE`,
        );
      return [start.sae];
    case "search": {
      const fitting = Array.from({ length: count }, (_, sae) => sae).filter((sae) => sizeOf(sae) <= most);
      const largest = Math.max(...fitting.map(sizeOf));
      return fitting.filter((sae) => sizeOf(sae) === largest);
    }
    default:
      return start satisfies never;
  }
}

/** Trials so far, and the best of them. */
class Search {
  readonly #tokens: PooledTokens;
  readonly #pool: LatentPool;
  readonly #kernels: Kernels;
  readonly #options: GreedyOptions;
  readonly #trials: Trial[] = [];
  readonly #reports: GreedyReport[] = [];
  #best: { readonly latents: Int32Array; readonly floor: number; readonly objective: number } | undefined;

  constructor(tokens: PooledTokens, pool: LatentPool, kernels: Kernels, saes: number, budget: Budget) {
    this.#tokens = tokens;
    this.#pool = pool;
    this.#kernels = kernels;
    this.#options = { ...budget, candidates: Int32Array.from({ length: pool.starts[saes] }, (_, id) => id) };
  }

  /** Fill the budget from `ids`, and return what was chosen. */
  async *attempt(
    sae: number | null,
    floor: number,
    ids: Int32Array,
  ): AsyncGenerator<GreedyProgress, Int32Array> {
    const fit = this.#fitAt(floor, ids);
    yield* this.#select(fit, { exchangeRounds: 0 });
    const { objective, tokens, size, entries } = fit;
    const latents = fit.latents();
    this.#trials.push({ sae, floor, latents: size, l0: entries / tokens, objective });
    if (this.#best === undefined || objective < this.#best.objective)
      this.#best = { latents, floor, objective };
    return latents;
  }

  /** Go on from the best. */
  async *exchange(
    rounds: Pick<GreedyOptions, "exchangeShare" | "exchangeRounds">,
  ): AsyncGenerator<GreedyProgress, FoundSelection> {
    const { latents, floor } = this.#best!;
    const fit = this.#fitAt(floor, latents);
    yield* this.#select(fit, rounds);
    const settled = this.#settle(fit, floor);
    const total = (of: (report: GreedyReport) => number) => this.#reports.reduce((sum, r) => sum + of(r), 0);
    const report = {
      ...this.#reports[this.#reports.length - 1],
      objective: settled.fit.objective,
      entries: settled.fit.entries,
      evaluations: total((r) => r.evaluations),
      plainEvaluations: total((r) => r.plainEvaluations),
    };
    return { latents: fit.latents(), floor: settled.floor, trials: this.#trials, report };
  }

  /** Lower the floor as far as the L0 allows, or half as far, where that lowers J. */
  #settle(fit: DictionaryFit, floor: number): { readonly fit: DictionaryFit; readonly floor: number } {
    const { l0 } = this.#options;
    const lowest = l0 === undefined ? 0 : floorFinder(this.#tokens, this.#pool, fit.latents()).floorFor(l0);
    let best = { fit, floor };
    for (const lower of lowest < floor ? [(lowest + floor) / 2, lowest] : []) {
      const other = { fit: this.#fitAt(lower, fit.latents()), floor: lower };
      if (other.fit.objective < best.fit.objective) best = other;
    }
    return best;
  }

  async *#select(fit: DictionaryFit, rounds: GreedyOptions): AsyncGenerator<GreedyProgress> {
    for await (const progress of selectGreedily(fit, this.#kernels, { ...this.#options, ...rounds })) {
      if (progress.phase === "done") this.#reports.push(progress.report());
      else yield progress;
    }
  }

  /** A dictionary of `ids` over the pool whose activations stop at `floor`. */
  #fitAt(floor: number, ids: Int32Array): DictionaryFit {
    const fit = new DictionaryFit(this.#pool, underFloor(this.#tokens, this.#pool, floor));
    for (const id of ids) fit.toggle(id);
    return fit;
  }
}
