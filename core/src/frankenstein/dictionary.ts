import type { Kernels } from "../kernels/kernels.ts";
import {
  addBatch,
  emptyReconstructionSums,
  type ReconstructionMetrics,
  reconstructionMetrics,
} from "../metrics/reconstruction.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { biasFitter } from "./fitted-bias.ts";
import type { EvaluationBatch, PooledTokens } from "./half-sample.ts";
import type { LatentPool } from "./latent-pool.ts";
import { refitDecoder } from "./refit-decoder.ts";
import { restrictCode } from "./restrict-code.ts";

/** Latents of a pool that write together: s · bias + code · directions, s the output scale of a token. */
export interface Dictionary {
  /** [k] pool ids, ascending. */
  readonly latents: Int32Array;
  /** [k × d] */
  readonly directions: Matrix;
  /** [d] */
  readonly bias: Float32Array;
  /**
   * An activation f, in its SAE's own units, is dropped unless f ‖w‖ exceeds this, w being the latent's direction in the pool; 0
   * drops none.
   */
  readonly floor: number;
}

/** Latents that write along `directions`, with the bias that is best beside them on `tokens`. */
export function fitBias(
  unbiased: Omit<Dictionary, "bias">,
  pool: LatentPool,
  { target, outputScale, code }: PooledTokens,
): Dictionary {
  const restricted = restrictCode({ code, outputScale }, pool, unbiased.latents, unbiased.floor);
  return { ...unbiased, bias: biasFitter(target, outputScale, restricted).of(unbiased.directions) };
}

/** The dictionary with the directions and the bias that are best on `tokens`; see {@link refitDecoder} for the options. */
export async function fitDecoder(
  dictionary: Dictionary,
  pool: LatentPool,
  tokens: PooledTokens,
  kernels: Kernels,
  {
    onIteration = () => {},
    ...options
  }: {
    readonly iterations?: number;
    readonly onIteration?: (iteration: number) => void | Promise<void>;
  } = {},
): Promise<Dictionary> {
  const code = restrictCode(tokens, pool, dictionary.latents, dictionary.floor);
  let { directions, bias }: Pick<Dictionary, "directions" | "bias"> = dictionary;
  for await (const progress of refitDecoder({ ...tokens, code }, directions, kernels, options)) {
    ({ directions, bias } = progress.decoder);
    await onIteration(progress.iteration);
  }
  return { ...dictionary, directions, bias };
}

/** What the dictionary makes of some tokens. */
export interface Written {
  /** [n × k] */
  readonly code: SparseCode;
  /** [n × d] target less what the dictionary writes. */
  readonly residual: Matrix;
}

/** Let the dictionary write `tokens`. */
export async function write(
  { latents, directions, bias, floor }: Dictionary,
  pool: LatentPool,
  tokens: PooledTokens,
  kernels: Kernels,
): Promise<Written> {
  const { target, outputScale } = tokens;
  const code = restrictCode(tokens, pool, latents, floor);
  const base = zeros(target.rows, target.columns);
  for (let i = 0, at = 0; i < target.rows; i++)
    for (let c = 0; c < target.columns; c++, at++)
      base.values[at] = target.values[at] - outputScale[i] * bias[c];
  const residual = await kernels.decode(code, directions, base, -1);
  recycle(base.values);
  return { code, residual };
}

/** How well each of several dictionaries writes a sample, in one pass over it. */
export async function measureDictionaries(
  dictionaries: readonly Dictionary[],
  pool: LatentPool,
  batches: AsyncIterable<EvaluationBatch>,
  kernels: Kernels,
): Promise<ReconstructionMetrics[]> {
  const sums = dictionaries.map(({ latents }) =>
    emptyReconstructionSums(pool.directions.columns, latents.length),
  );
  for await (const batch of batches) {
    for (const [i, dictionary] of dictionaries.entries()) {
      const { code, residual } = await write(dictionary, pool, batch, kernels);
      addBatch(sums[i], batch.activations, residual, code);
      recycle(residual.values);
    }
    recycle(batch.activations.values);
    recycle(batch.target.values);
  }
  return sums.map(reconstructionMetrics);
}
