import type { Kernels } from "../kernels/kernels.ts";
import { type Budget, checkBudget, entriesWithin } from "./budget.ts";
import type { DictionaryFit } from "./dictionary-fit.ts";
import { LazyQueue } from "./lazy-queue.ts";

/** Options of {@link selectGreedily}. */
export interface GreedyOptions extends Budget {
  /** Pool ids that may be chosen (default all). */
  readonly candidates?: Int32Array;
  /** Share of the chosen latents that an exchange round takes out at first. */
  readonly exchangeShare?: number;
  /** Exchange rounds, at most. */
  readonly exchangeRounds?: number;
}

/** What a greedy selection did. */
export interface GreedyReport {
  /** J of the dictionary (see {@link DictionaryFit}), on the tokens it was chosen on. */
  readonly objective: number;
  /** Firings of the chosen latents. */
  readonly entries: number;
  /** Gains computed: Σ f⟨w, r⟩ over the firings of one latent. */
  readonly evaluations: number;
  /** Gains that the same picks would have taken if each had looked at every candidate anew. */
  readonly plainEvaluations: number;
  /** Latents that entered, and that left, in what was not undone. */
  readonly entered: number;
  readonly left: number;
  /** Exchange rounds that lowered J and were kept, of all that were tried. */
  readonly rounds: { readonly kept: number; readonly tried: number };
  /** The largest gain of a latent that is not chosen although there is room for it; 0 when nothing would gain. */
  readonly largestGainLeft: number;
}

/** Where a selection stands. */
export interface GreedyProgress {
  readonly phase: "fill" | "prune" | "exchange" | "done";
  /** Latents chosen so far. */
  readonly latents: number;
  readonly objective: number;
  readonly report: () => GreedyReport;
}

/** Changes between two signs of progress. */
const STRIDE = 64;
/** An exchange round counts as a success when J falls by more than this share of it. */
const LEAST_PROGRESS = 1e-6;

/**
 * Choose latents by measured marginal gain, on top of what `fit` already holds: the one with the greatest gain for its cost enters,
 * until the budget is spent or nothing gains. The cost of a latent is the share that it takes of the latents and of the L0 that are
 * left, so that whichever runs short weighs more; candidates that no longer fit are passed over.
 *
 * Gains mostly shrink as the dictionary grows, and costs only rise. So a score from earlier is an upper bound, and only the candidate
 * in front is looked at again, until it stays in front (Minoux 1978). Where a gain grows instead, that candidate may be met later
 * than it should be.
 *
 * Then latents that no longer pay leave, and exchange rounds follow: those that pay least for their cost leave, the room is filled
 * anew, and the round is undone unless J has fallen, after which fewer leave. Changes `fit`, and yields on the way, the last time
 * with phase "done".
 *
 * Throws {@link UnsupportedError} for a budget that cannot be met, such as one that what `fit` holds exceeds already.
 */
export async function* selectGreedily(
  fit: DictionaryFit,
  kernels: Kernels,
  {
    candidates = Int32Array.from({ length: fit.poolSize }, (_, id) => id),
    latents = Number.POSITIVE_INFINITY,
    l0 = Number.POSITIVE_INFINITY,
    exchangeShare = 0.1,
    exchangeRounds = 30,
  }: GreedyOptions = {},
): AsyncGenerator<GreedyProgress> {
  checkBudget({ latents, l0 }, fit);
  const search = new GreedySearch(fit, kernels, candidates, {
    latents,
    entries: entriesWithin(l0, fit.tokens),
  });
  yield* search.fill("fill");
  yield* search.prune();
  for (let round = 0, share = exchangeShare; round < exchangeRounds && share * fit.size >= 1; round++)
    if (!(yield* search.exchange(Math.floor(share * fit.size)))) share /= 2;
  await search.audit();
  yield search.progress("done");
}

/** A selection under way. */
class GreedySearch {
  readonly #fit: DictionaryFit;
  readonly #kernels: Kernels;
  readonly #candidates: Int32Array;
  readonly #most: { readonly latents: number; readonly entries: number };
  /** [M] the last gain seen of each latent. */
  #gains: Float64Array;
  /** [M] how many changes there had been when it was seen. */
  readonly #seen: Int32Array;
  #changes = 0;
  /** Ids in the order in which they entered and left. */
  #history: number[] = [];
  #evaluations = 0;
  #plainEvaluations = 0;
  #moves = { entered: 0, left: 0 };
  readonly #rounds = { kept: 0, tried: 0 };
  #largestGainLeft = Number.NaN;

  constructor(
    fit: DictionaryFit,
    kernels: Kernels,
    candidates: Int32Array,
    most: { readonly latents: number; readonly entries: number },
  ) {
    this.#fit = fit;
    this.#kernels = kernels;
    this.#candidates = candidates;
    this.#most = most;
    this.#gains = new Float64Array(fit.poolSize);
    this.#seen = new Int32Array(fit.poolSize);
  }

  /** Let candidates enter, the greatest gain for its cost first, while one gains and fits. */
  async *fill(phase: "fill" | "exchange"): AsyncGenerator<GreedyProgress> {
    const fit = this.#fit;
    yield this.progress(phase);
    await this.#lookAtAll();
    const costOf = (id: number) =>
      1 / (this.#most.latents - fit.size) + fit.firings(id) / (this.#most.entries - fit.entries) || 1;
    const queue = this.#queue(
      this.#outside().filter((id) => this.#gains[id] > 0),
      costOf,
    );
    while (queue.size > 0 && fit.size < this.#most.latents) {
      const id = queue.top;
      if (!this.#fits(id)) queue.pop();
      else if (!this.#isFresh(id)) queue.lowerTop(this.#look(id) / costOf(id));
      else if (this.#gains[id] <= 0) break;
      else {
        queue.pop();
        this.#plainEvaluations += this.#candidates.length - fit.size;
        if (this.#toggle(id)) yield this.progress(phase);
      }
    }
  }

  /** Let latents leave while J falls by it. */
  async *prune(): AsyncGenerator<GreedyProgress> {
    await this.#lookAtAll();
    const paying = (id: number) => this.#gains[id] > 0;
    yield* this.#takeOut(this.#fit.latents().filter(paying), {
      costOf: () => 1,
      while: paying,
      phase: "prune",
    });
  }

  /**
   * Let `count` latents leave, those that pay least for their share of the budget, and fill the room anew. Undone, and false, unless
   * J has fallen.
   */
  async *exchange(count: number): AsyncGenerator<GreedyProgress, boolean> {
    const fit = this.#fit;
    const before = fit.objective;
    const start = { moves: { ...this.#moves }, length: this.#history.length };
    const leave = fit.size - count;
    this.#rounds.tried++;
    await this.#lookAtAll();
    yield* this.#takeOut(fit.latents(), {
      costOf: (id) => 1 / this.#most.latents + fit.firings(id) / this.#most.entries || 1,
      while: () => fit.size > leave,
      phase: "exchange",
    });
    yield* this.fill("exchange");
    yield* this.prune();
    if (fit.objective < before * (1 - LEAST_PROGRESS)) {
      this.#rounds.kept++;
      return true;
    }
    for (const id of this.#history.splice(start.length).reverse()) fit.toggle(id);
    this.#moves = start.moves;
    this.#changes++;
    return false;
  }

  /** See what is left to gain, and sum J anew. */
  async audit(): Promise<void> {
    this.#fit.renewObjective();
    await this.#lookAtAll();
    this.#largestGainLeft = 0;
    if (this.#fit.size === this.#most.latents) return;
    for (const id of this.#outside())
      if (this.#fits(id)) this.#largestGainLeft = Math.max(this.#largestGainLeft, this.#gains[id]);
  }

  progress(phase: GreedyProgress["phase"]): GreedyProgress {
    const fit = this.#fit;
    const report = (): GreedyReport => ({
      objective: fit.objective,
      entries: fit.entries,
      evaluations: this.#evaluations,
      plainEvaluations: this.#plainEvaluations,
      ...this.#moves,
      rounds: { ...this.#rounds },
      largestGainLeft: this.#largestGainLeft,
    });
    return { phase, latents: fit.size, objective: fit.objective, report };
  }

  /** Let latents of `ids` leave, the one that loses least for its cost first, while `again` says so of it. */
  async *#takeOut(
    ids: Int32Array,
    rule: {
      readonly costOf: (id: number) => number;
      readonly while: (id: number) => boolean;
      readonly phase: GreedyProgress["phase"];
    },
  ): AsyncGenerator<GreedyProgress> {
    const queue = this.#queue(ids, rule.costOf);
    while (queue.size > 0) {
      const id = queue.top;
      if (!this.#isFresh(id)) {
        queue.lowerTop(this.#look(id) / rule.costOf(id));
        continue;
      }
      if (!rule.while(id)) break;
      queue.pop();
      this.#plainEvaluations += this.#fit.size;
      if (this.#toggle(id)) yield this.progress(rule.phase);
    }
  }

  #outside(): Int32Array {
    return this.#candidates.filter((id) => !this.#fit.has(id) && this.#fit.firings(id) > 0);
  }

  #fits(id: number): boolean {
    return this.#fit.entries + this.#fit.firings(id) <= this.#most.entries;
  }

  #queue(ids: ArrayLike<number>, costOf: (id: number) => number): LazyQueue {
    const scores = new Float64Array(this.#gains.length);
    for (let i = 0; i < ids.length; i++) scores[ids[i]] = this.#gains[ids[i]] / costOf(ids[i]);
    return new LazyQueue(ids, scores);
  }

  /** Whether nothing has changed since the latent's gain was computed. */
  #isFresh(id: number): boolean {
    return this.#seen[id] === this.#changes;
  }

  #look(id: number): number {
    this.#gains[id] = this.#fit.gain(id);
    this.#seen[id] = this.#changes;
    this.#evaluations++;
    return this.#gains[id];
  }

  /** The gains of all latents at once, which count as seen earlier: they are rounded to float32. */
  async #lookAtAll(): Promise<void> {
    this.#gains = await this.#fit.allGains(this.#kernels);
    this.#evaluations += this.#gains.length;
    this.#changes++;
  }

  /** Let a latent whose gain is fresh enter or leave; true when it is time for a sign of progress. */
  #toggle(id: number): boolean {
    this.#fit.toggle(id, this.#gains[id]);
    this.#history.push(id);
    this.#moves[this.#fit.has(id) ? "entered" : "left"]++;
    this.#changes++;
    return this.#history.length % STRIDE === 0;
  }
}
