import type { Kernels } from "../kernels/kernels.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { transposeCode } from "../tensor/transpose-code.ts";
import { type Budget, entriesWithin } from "./budget.ts";
import { biasFitter } from "./fitted-bias.ts";
import type { PooledTokens } from "./half-sample.ts";
import { directionsOf, type LatentPool } from "./latent-pool.ts";
import { inverseSquares, refitDecoder } from "./refit-decoder.ts";
import { restrictCode, underFloor } from "./restrict-code.ts";

/** A dictionary to begin with. */
export interface Beginning {
  /** Where it comes from, for people. */
  readonly name: string;
  /** Pool ids, ascending. */
  readonly latents: Int32Array;
  /** See `Dictionary.floor`. */
  readonly floor: number;
}

/** What {@link exchangeUnderRefit} has come to. */
export interface RefitSelection extends Beginning {
  /** Squared error on the tokens, with directions and bias re-fitted. */
  readonly sse: number;
  readonly rounds: { readonly kept: number; readonly tried: number };
}

/** Iterations of a re-fit on the way, and of one that decides. */
const ROUGH = 6;
const THOROUGH = 15;
/** A round adds latents in so many parts, with a re-fit after each. */
const PARTS = 4;
/** A round counts as a success when the squared error falls by more than this share of it. */
const LEAST_PROGRESS = 1e-5;

/**
 * Exchange latents of a dictionary whose directions will be re-fitted, judged by the squared error after the re-fit. In each round those
 * leave that explain least for their share of the budget; then those enter that would explain most with the best direction for what is
 * left to explain,
 *
 *     gain = ‖Σ f r‖² / Σ f²        f less its mean along the output scale, r the residual of the fitted dictionary
 *
 * and the round is undone unless the error has fallen, after which fewer leave. Starts with the best of `beginnings`, which keep
 * within the budget, and keeps its floor; yields after every round. Memory: three matrices of n × d and one of M × d.
 */
export async function* exchangeUnderRefit(
  tokens: PooledTokens,
  pool: LatentPool,
  kernels: Kernels,
  beginnings: readonly Beginning[],
  {
    candidates,
    exchangeShare = 0.1,
    exchangeRounds = 12,
    ...budget
  }: Budget & {
    readonly candidates: Int32Array;
    readonly exchangeShare?: number;
    readonly exchangeRounds?: number;
  },
): AsyncGenerator<RefitSelection, RefitSelection> {
  const { name, latents, floor } = await bestBeginning(tokens, pool, kernels, beginnings);
  const exchange = new RefitExchange(underFloor(tokens, pool, floor), pool, kernels, candidates, budget);
  const rounds = { kept: 0, tried: 0 };
  let best = await exchange.fit(latents, directionsOf(pool, latents), THOROUGH);
  const state = () => ({ name, floor, latents: best.latents, sse: best.sse, rounds: { ...rounds } });
  yield state();
  for (let share = exchangeShare; rounds.tried < exchangeRounds && share * best.latents.length >= 1; ) {
    const next = await exchange.round(best, Math.floor(share * best.latents.length));
    rounds.tried++;
    if (next.sse < best.sse * (1 - LEAST_PROGRESS)) {
      recycle(best.residual.values);
      best = next;
      rounds.kept++;
    } else {
      recycle(next.residual.values);
      share /= 2;
    }
    yield state();
  }
  return state();
}

/** The beginning that leaves the least error when its directions are re-fitted. */
async function bestBeginning(
  tokens: PooledTokens,
  pool: LatentPool,
  kernels: Kernels,
  beginnings: readonly Beginning[],
): Promise<Beginning> {
  let [best] = beginnings;
  let least = Number.POSITIVE_INFINITY;
  for (const beginning of beginnings) {
    const { sse, residual } = await refit(tokens, pool, kernels, beginning, THOROUGH);
    recycle(residual.values);
    if (sse >= least) continue;
    best = beginning;
    least = sse;
  }
  return best;
}

/** Re-fit the directions of some latents, beginning at `directions`, those of the pool by default. */
async function refit(
  tokens: PooledTokens,
  pool: LatentPool,
  kernels: Kernels,
  { latents, floor }: Pick<Beginning, "latents" | "floor">,
  iterations: number,
  directions = directionsOf(pool, latents),
): Promise<Fitted> {
  const code = restrictCode(tokens, pool, latents, floor);
  const states = refitDecoder({ ...tokens, code }, directions, kernels, { iterations, tolerance: 1e-5 });
  let fitted: Fitted | undefined;
  for await (const { sse, decoder, residual } of states)
    fitted = { latents, directions: decoder.directions, sse, residual };
  return fitted!;
}

interface Fitted {
  readonly latents: Int32Array;
  /** [k × d] */
  readonly directions: Matrix;
  readonly sse: number;
  /** [n × d] */
  readonly residual: Matrix;
}

class RefitExchange {
  readonly #tokens: PooledTokens;
  readonly #pool: LatentPool;
  readonly #kernels: Kernels;
  readonly #byLatent: SparseCode;
  readonly #candidates: Int32Array;
  readonly #most: { readonly latents: number; readonly entries: number };
  /** [M] 1 / Σ f², f less its mean along the output scale. */
  readonly #inverse: Float64Array;
  readonly #nothing: Matrix;

  constructor(
    tokens: PooledTokens,
    pool: LatentPool,
    kernels: Kernels,
    candidates: Int32Array,
    { latents, l0 }: Budget,
  ) {
    const { target, outputScale, code } = tokens;
    this.#tokens = tokens;
    this.#pool = pool;
    this.#kernels = kernels;
    this.#byLatent = transposeCode(code);
    this.#candidates = candidates;
    const unlimited = Number.POSITIVE_INFINITY;
    this.#most = { latents: latents ?? unlimited, entries: entriesWithin(l0 ?? unlimited, code.rows) };
    this.#inverse = inverseSquares(this.#byLatent, biasFitter(target, outputScale, code));
    this.#nothing = zeros(code.columns, target.columns);
  }

  /** Re-fit the directions of `latents`, beginning at `directions`. */
  fit(latents: Int32Array, directions: Matrix, iterations: number): Promise<Fitted> {
    return refit(this.#tokens, this.#pool, this.#kernels, { latents, floor: 0 }, iterations, directions);
  }

  /** `count` latents leave, and others enter. */
  async round(from: Fitted, count: number): Promise<Fitted> {
    let state = await this.#without(from, count);
    for (let part = PARTS; part > 0; part--) {
      const next = await this.#withMore(state, part);
      recycle(state.residual.values);
      state = next;
    }
    const { latents, directions } = state;
    recycle(state.residual.values);
    return this.fit(latents, directions, THOROUGH);
  }

  async #without({ latents, directions }: Fitted, count: number): Promise<Fitted> {
    const loss = Float64Array.from(latents, (id, p) => {
      const squares = row(directions, p).reduce((sum, value) => sum + value * value, 0);
      const cost = 1 / this.#most.latents + this.#firings(id) / this.#most.entries || 1;
      return squares / this.#inverse[id] / cost;
    });
    const order = Array.from(latents.keys()).sort((a, b) => loss[a] - loss[b] || a - b);
    const staying = order.slice(count).sort((a, b) => a - b);
    const kept = zeros(staying.length, directions.columns);
    staying.forEach((p, i) => {
      row(kept, i).set(row(directions, p));
    });
    return this.fit(
      Int32Array.from(staying, (p) => latents[p]),
      kept,
      ROUGH,
    );
  }

  /** The dictionary with one in `parts` of the latents that there is room for. */
  async #withMore({ latents, directions, residual }: Fitted, parts: number): Promise<Fitted> {
    const gradient = await this.#kernels.decode(this.#byLatent, residual, this.#nothing, 1);
    const room = {
      latents: this.#most.latents - latents.length,
      entries: this.#most.entries - this.#entries(latents),
    };
    const isInside = new Uint8Array(this.#inverse.length);
    for (const id of latents) isInside[id] = 1;
    const score = new Float64Array(this.#inverse.length);
    for (const id of this.#candidates) {
      if (isInside[id] === 1) continue;
      const gain = row(gradient, id).reduce((sum, value) => sum + value * value, 0) * this.#inverse[id];
      score[id] = gain / (1 / room.latents + this.#firings(id) / room.entries || 1);
    }
    const order = this.#candidates.filter((id) => score[id] > 0).sort((a, b) => score[b] - score[a] || a - b);
    const entering: number[] = [];
    const wanted = Math.ceil(Math.min(room.latents, order.length) / parts);
    for (const id of order) {
      if (entering.length === wanted) break;
      if (this.#firings(id) > room.entries) continue;
      room.entries -= this.#firings(id);
      entering.push(id);
    }
    const all = Int32Array.from([...latents, ...entering]).sort();
    const begin = zeros(all.length, directions.columns);
    const place = new Map(Array.from(latents, (id, p) => [id, p]));
    all.forEach((id, i) => {
      const p = place.get(id);
      if (p !== undefined) row(begin, i).set(row(directions, p));
      else row(begin, i).set(row(gradient, id).map((value) => value * this.#inverse[id]));
    });
    recycle(gradient.values);
    return this.fit(all, begin, ROUGH);
  }

  #firings(id: number): number {
    return this.#byLatent.offsets[id + 1] - this.#byLatent.offsets[id];
  }

  #entries(latents: Int32Array): number {
    return latents.reduce((sum, id) => sum + this.#firings(id), 0);
  }
}
