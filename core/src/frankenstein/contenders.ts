import type { ResidualReading } from "../codes/coded-sample.ts";
import { UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import type { Matrix } from "../tensor/matrix.ts";
import type { PooledTokens } from "./half-sample.ts";
import { directionsOf, type LatentPool, latentsOf } from "./latent-pool.ts";
import { selectByThreshold } from "./threshold-selection.ts";

/**
 * Where a dictionary comes from.
 *
 * - `greedy`: chosen by measured gain;
 * - `threshold`: the published recipe;
 * - `random`: the same number of latents, drawn from those that fire;
 * - `concatenation`: all latents of the first SAEs that fit, directions divided by their number: the mean of their outputs (the
 *   scale of ensembling, arXiv 2505.16077);
 * - `trained`: one SAE as it is;
 * - `boosted`: an SAE, and one that reads what it leaves, as they are: x̂_A(x) + x̂_B(x − x̂_A(x)) (arXiv 2507.12990, 2505.16077). Not
 *   one ordinary SAE, but its latents, directions and L0 compare with those of one.
 */
export type Method = "greedy" | "threshold" | "random" | "concatenation" | "trained" | "boosted";

/** A dictionary that competes, before its bias is fitted. */
export interface Contender {
  readonly method: Method;
  /** Number in the pool, of a trained SAE, and of one that boosts others. */
  readonly sae: number | null;
  /** [d] the bias that was trained with the directions; null where none was. */
  readonly trainedBias: Float32Array | null;
  /** Pool ids, ascending. */
  readonly latents: Int32Array;
  /** [k × d] */
  readonly directions: Matrix;
  /** See `Dictionary.floor`; where it starts from. */
  readonly floor: number;
  /** What is fitted; the directions too, or only the bias, or once this and once that. */
  readonly refits: readonly ("bias" | "decoder")[];
  /** What a reader of a table should know. */
  readonly notes: readonly string[];
}

/** A method that cannot compete at this number of latents. */
export interface Omission {
  readonly method: Method;
  readonly why: string;
}

/** What rivals are made for. */
export interface RivalOptions {
  /** Latents of each. */
  readonly latents: number;
  /** Only latents of the first so many SAEs of the pool are candidates; the rest are trained rivals. */
  readonly saes: number;
  readonly cosine: number;
  /** Of the random choice. */
  readonly seed: number;
  /** Which SAEs read what another leaves; no candidate does (default none). */
  readonly residualOf?: ResidualReading;
}

/** The latents of the pool that fire on `tokens`, of the first `saes` SAEs. */
function liveLatents({ code }: PooledTokens, { starts }: LatentPool, saes: number): Int32Array {
  const fires = new Uint8Array(starts[saes]);
  for (const id of code.indices) if (id < fires.length) fires[id] = 1;
  return Int32Array.from(fires.keys()).filter((id) => fires[id] === 1);
}

/** A contender whose directions are those of the pool. */
export function contenderOf(
  method: Method,
  pool: LatentPool,
  latents: Int32Array,
  {
    floor = 0,
    notes = [],
    sae = null,
    trainedBias = null,
    refits = ["bias", "decoder"],
  }: Partial<Pick<Contender, "floor" | "notes" | "sae" | "trainedBias" | "refits">> = {},
): Contender {
  return { method, sae, trainedBias, latents, directions: directionsOf(pool, latents), floor, refits, notes };
}

/** The rivals of a dictionary of `latents` latents, and which cannot be had. */
export async function gatherRivals(
  tokens: PooledTokens,
  pool: LatentPool,
  kernels: Kernels,
  { latents, saes, cosine, seed, residualOf = [] }: RivalOptions,
): Promise<{ readonly contenders: Contender[]; readonly omitted: Omission[] }> {
  const contenders: Contender[] = [];
  const omitted: Omission[] = [];
  try {
    const chosen = await selectByThreshold(pool, kernels, { cosine, latents, saes });
    contenders.push(
      contenderOf("threshold", pool, chosen, {
        notes: fewer(chosen.length, latents, `no more are below cosine ${cosine}`),
      }),
    );
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    omitted.push({ method: "threshold", why: error.message });
  }
  const random = drawLatents(liveLatents(tokens, pool, saes), latents, seed);
  contenders.push(
    contenderOf("random", pool, random, { notes: fewer(random.length, latents, "no more fire") }),
  );
  const whole = wholeSaes(pool, saes, latents);
  if (whole === 0) {
    omitted.push({
      method: "concatenation",
      why: `The first SAE alone has ${pool.starts[1]} latents, more than ${latents}`,
    });
  } else {
    contenders.push(concatenate(pool, whole, latents));
  }
  for (let sae = 0; sae < pool.saes.length; sae++) {
    if (residualOf[sae] !== undefined) {
      contenders.push(boost(pool, sae, residualOf, latents));
      continue;
    }
    const own = latentsOf(pool, sae);
    if (own.length !== latents && sae < saes) continue;
    const notes = otherwise(own.length, latents);
    if (sae < saes) notes.push("its latents are in the pool");
    const trainedBias = pool.saes[sae].decoderBias;
    contenders.push(contenderOf("trained", pool, own, { sae, trainedBias, notes }));
  }
  return { contenders, omitted };
}

/** The SAE number `last`, with those whose residual it reads, directly or through others. */
function boost(pool: LatentPool, last: number, residualOf: ResidualReading, latents: number): Contender {
  const chain = [last];
  for (let host = residualOf[last]; host !== undefined; host = residualOf[host]) chain.unshift(host);
  const ids = Int32Array.from(chain.flatMap((sae) => [...latentsOf(pool, sae)]));
  const biases = chain.map((sae) => pool.saes[sae].decoderBias);
  return contenderOf("boosted", pool, ids, {
    sae: last,
    trainedBias: Float32Array.from(biases[0], (_, c) => biases.reduce((sum, bias) => sum + bias[c], 0)),
    notes: [
      ...otherwise(ids.length, latents),
      `${chain.length} encoders, each reading what the one before leaves: not one ordinary SAE`,
    ],
  });
}

function concatenate(pool: LatentPool, whole: number, latents: number): Contender {
  const ids = Int32Array.from({ length: pool.starts[whole] }, (_, id) => id);
  const contender = contenderOf("concatenation", pool, ids, {
    notes: [
      ...fewer(ids.length, latents, "no further SAE fits whole"),
      whole === 1 ? "the first SAE alone" : `${whole} SAEs, each output divided by ${whole}`,
    ],
  });
  const { values } = contender.directions;
  for (let at = 0; at < values.length; at++) values[at] /= whole;
  return contender;
}

/** How many SAEs from the first on have at most `latents` latents together. */
function wholeSaes({ starts }: LatentPool, saes: number, latents: number): number {
  let whole = 0;
  while (whole < saes && starts[whole + 1] <= latents) whole++;
  return whole;
}

/** `count` of `ids`, each equally likely, ascending (Fisher–Yates, stopped early). */
function drawLatents(ids: Int32Array, count: number, seed: number): Int32Array {
  const random = seededRandom(seed);
  const drawn = ids.slice();
  const most = Math.min(count, drawn.length);
  for (let i = 0; i < most; i++) {
    const j = i + Math.floor(random() * (drawn.length - i));
    [drawn[i], drawn[j]] = [drawn[j], drawn[i]];
  }
  return drawn.slice(0, most).sort();
}

function otherwise(count: number, wanted: number): string[] {
  return count === wanted ? [] : [`${count} latents, not ${wanted}`];
}

function fewer(count: number, wanted: number, why: string): string[] {
  return count < wanted ? [`${count} latents: ${why}`] : [];
}
