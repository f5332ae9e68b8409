import type { CodedSample } from "../codes/coded-sample.ts";
import { UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { PUBLISHED_COSINE_THRESHOLD } from "../labelling/cosine-predictor.ts";
import { type Budget, checkBudget } from "./budget.ts";
import { type Comparison, compareContenders } from "./compare-contenders.ts";
import { type Contender, contenderOf, gatherRivals, type Omission } from "./contenders.ts";
import type { Dictionary } from "./dictionary.ts";
import type { HalvesCounts } from "./document-halves.ts";
import type { GreedyOptions } from "./greedy-selection.ts";
import { readEvaluationHalf, readSelectionHalf, type SelectionHalf } from "./half-sample.ts";
import { type LatentEvidence, measureEvidence } from "./latent-evidence.ts";
import { type LatentPool, poolLatents } from "./latent-pool.ts";
import { floorFinder } from "./match-l0.ts";
import { type Beginning, exchangeUnderRefit, type RefitSelection } from "./refit-exchange.ts";
import { type FoundSelection, type Start, searchSelection } from "./search-selection.ts";
import { selectByThreshold } from "./threshold-selection.ts";

/** Options of {@link stitchLatents}. */
export interface StitchOptions extends Budget, Pick<GreedyOptions, "exchangeShare" | "exchangeRounds"> {
  /** How latents are chosen (default greedy). */
  readonly method?: "greedy" | "threshold";
  /**
   * Number of SAEs, from the first on, whose latents may be chosen (default all that come before one that reads a residual); the
   * others are only compared with.
   */
  readonly candidates?: number;
  /** Whether directions stay as they are, or are fitted anew to the codes (default keep). The bias always is. */
  readonly decoder?: "keep" | "refit";
  /** Below it a latent counts as novel, where the cosine decides. */
  readonly cosine?: number;
  /** Of the halves and of the random choice. */
  readonly seed?: number;
  /** What greedy selection begins with. */
  readonly start?: Start;
  /** Of a decoder re-fit, at most. */
  readonly iterations?: number;
  /** Share of wrong signs tolerated among the verdicts on the chosen latents. */
  readonly falseDiscoveryRate?: number;
}

/** What is going on, for people. `done` and `of` count rows, latents or dictionaries; `of` is 0 where it is not known. */
export interface StitchProgress {
  readonly phase: "read" | "select" | "exchange" | "fit" | "measure" | "evidence";
  readonly done: number;
  readonly of: number;
}

/** A dictionary stitched from several SAEs, how it was found, and how it compares. */
export interface Stitched {
  readonly pool: LatentPool;
  readonly dictionary: Dictionary;
  /** Place of the dictionary in `comparison.rows`. */
  readonly row: number;
  readonly halves: HalvesCounts;
  /** How greedy selection went. */
  readonly search: FoundSelection;
  /** How latents were exchanged further for directions that are re-fitted; null where they are kept. */
  readonly refitExchange: RefitSelection | null;
  readonly comparison: Comparison;
  /** Methods that cannot compete at this size. */
  readonly omitted: readonly Omission[];
  /** Of each latent of the dictionary. */
  readonly evidence: LatentEvidence;
}

/**
 * Choose the best latents of several SAEs for a budget, and compare the dictionary they make with its rivals at equal latents and
 * equal L0. Latents are chosen and everything is fitted on one half of the documents; all figures of the comparison and the evidence
 * are of the other. An SAE that reads what another leaves is a rival, together with that other.
 *
 * The sample is read three times: the selection half, which is kept in memory, and the other half twice. `onProgress` may return
 * a promise, which is waited for, so that a page or a terminal gets its turn.
 *
 * Throws UnsupportedError for options that cannot be met, DataError for a sample that cannot be split.
 */
export async function stitchLatents(
  coded: CodedSample,
  kernels: Kernels,
  options: StitchOptions = {},
  onProgress: (progress: StitchProgress) => void | Promise<void> = () => {},
): Promise<Stitched> {
  const {
    method = "greedy",
    candidates = readersOfActivations(coded),
    decoder = "keep",
    cosine = PUBLISHED_COSINE_THRESHOLD,
    seed = 0,
    falseDiscoveryRate = 0.05,
  } = options;
  checkBudget(options);
  if (!(Number.isInteger(candidates) && candidates >= 1 && candidates <= coded.saes.length))
    throw new UnsupportedError(
      `Cannot choose from the first ${candidates} SAEs: ${coded.saes.length} are given, give a number from 1 to that`,
    );
  if (candidates > readersOfActivations(coded))
    throw new UnsupportedError(
      `Cannot choose from the first ${candidates} SAEs: number ${readersOfActivations(coded)}, counted from 0, reads what another leaves, ` +
        "so its latents mean nothing by themselves",
    );
  const pool = poolLatents(coded.saes);
  const byThreshold =
    method === "threshold"
      ? await selectByThreshold(pool, kernels, { ...limited(options), cosine, saes: candidates })
      : undefined;
  const tokens = await readSelectionHalf(coded, pool, {
    seed,
    onRows: (rows) => onProgress({ phase: "read", done: rows, of: coded.rows }),
  });
  const latents = options.latents ?? byThreshold?.length;
  const chosenFrom = { ...options, ...limited({ latents }), candidates };
  const search = await runSearch(tokens, pool, kernels, chosenFrom, onProgress);

  const notes =
    search.latents.length < (latents ?? 0)
      ? [`${search.latents.length} latents: no further one that fits improves`]
      : [];
  const { floor } = search;
  const { contenders, omitted } = await gatherRivals(tokens, pool, kernels, {
    latents: latents ?? search.latents.length,
    saes: candidates,
    cosine,
    seed,
    ...(coded.residualOf !== undefined && { residualOf: coded.residualOf }),
  });
  contenders.unshift(contenderOf("greedy", pool, search.latents, { floor, notes }));
  const refitExchange =
    method === "greedy" && decoder === "refit"
      ? await runRefitExchange(tokens, pool, kernels, contenders, chosenFrom, onProgress)
      : null;
  if (refitExchange !== null) contenders.unshift(refittedContender(pool, refitExchange, latents));
  const evaluation = (phase: "measure" | "evidence") => () =>
    readEvaluationHalf(coded, pool, {
      seed,
      onRows: (rows) => onProgress({ phase, done: rows, of: coded.rows }),
    });
  const comparison = await compareContenders(contenders, pool, tokens, evaluation("measure"), kernels, {
    ...(options.l0 !== undefined && { l0: options.l0 }),
    ...(options.iterations !== undefined && { iterations: options.iterations }),
    onDone: (done, of) => onProgress({ phase: "fit", done, of }),
  });
  const refit = decoder === "refit" ? "decoder" : "bias";
  const row = comparison.rows.findIndex((r) => r.method === method && r.refit === refit);
  const dictionary = comparison.dictionaries[row];
  const evidence = await measureEvidence(dictionary, pool, evaluation("evidence")(), kernels, {
    falseDiscoveryRate,
    unit: tokens.counts.unit,
  });
  return {
    pool,
    dictionary,
    row,
    halves: tokens.counts,
    search,
    refitExchange,
    comparison,
    omitted,
    evidence,
  };
}

/** How many SAEs from the first on read the activations themselves. */
function readersOfActivations({ saes, residualOf = [] }: CodedSample): number {
  const first = residualOf.findIndex((host) => host !== undefined);
  return first < 0 ? saes.length : first;
}

/** Greedy selection to its end. */
async function runSearch(
  tokens: SelectionHalf,
  pool: LatentPool,
  kernels: Kernels,
  { latents, l0, exchangeShare, exchangeRounds, start, candidates }: StitchOptions,
  onProgress: (progress: StitchProgress) => void | Promise<void>,
): Promise<FoundSelection> {
  const search = searchSelection(tokens, pool, kernels, {
    ...limited({ latents, l0 }),
    ...(exchangeShare !== undefined && { exchangeShare }),
    ...(exchangeRounds !== undefined && { exchangeRounds }),
    ...(start !== undefined && { start }),
    ...(candidates !== undefined && { saes: candidates }),
  });
  for (;;) {
    const step = await search.next();
    if (step.done) return step.value;
    const phase = step.value.phase === "exchange" ? "exchange" : "select";
    await onProgress({ phase, done: step.value.latents, of: latents ?? 0 });
  }
}

/** Exchange rounds judged by the error after the re-fit, to their end. */
async function runRefitExchange(
  tokens: SelectionHalf,
  pool: LatentPool,
  kernels: Kernels,
  contenders: readonly Contender[],
  { candidates = pool.saes.length, exchangeShare, exchangeRounds, ...budget }: StitchOptions,
  onProgress: (progress: StitchProgress) => void | Promise<void>,
): Promise<RefitSelection> {
  const exchange = exchangeUnderRefit(
    tokens,
    pool,
    kernels,
    beginningsOf(tokens, pool, contenders, candidates, budget),
    {
      ...limited(budget),
      ...(exchangeShare !== undefined && { exchangeShare }),
      ...(exchangeRounds !== undefined && { exchangeRounds }),
      candidates: Int32Array.from({ length: pool.starts[candidates] }, (_, id) => id),
    },
  );
  for (;;) {
    const step = await exchange.next();
    if (step.done) return step.value;
    await onProgress({ phase: "exchange", done: step.value.latents.length, of: budget.latents ?? 0 });
  }
}

/** What the contenders chose that can be begun with: latents of the candidates within the budget, under the floor that keeps them there. */
function beginningsOf(
  tokens: SelectionHalf,
  pool: LatentPool,
  contenders: readonly Contender[],
  candidates: number,
  { latents: most = Number.POSITIVE_INFINITY, l0 = Number.POSITIVE_INFINITY }: Budget,
): Beginning[] {
  return contenders
    .filter(({ method, sae }) => method !== "random" && (sae ?? 0) < candidates)
    .filter(({ latents }) => latents.length <= most)
    .map(({ method, latents, floor }) => ({
      name: method,
      latents,
      floor: Math.max(floor, floorFinder(tokens, pool, latents).floorFor(l0)),
    }));
}

function refittedContender(pool: LatentPool, { name, latents, floor }: RefitSelection, most = 0): Contender {
  const notes = [`chosen for re-fitted directions, from what ${name} gave`];
  if (latents.length < most) notes.unshift(`${latents.length} latents: no further one that fits improves`);
  return contenderOf("greedy", pool, latents, { floor, notes, refits: ["decoder"] });
}

/** The parts of a budget that are given. */
function limited({
  latents,
  l0,
}: {
  readonly latents?: number | undefined;
  readonly l0?: number | undefined;
}): Budget {
  return { ...(latents !== undefined && { latents }), ...(l0 !== undefined && { l0 }) };
}
