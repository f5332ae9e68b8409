import type { Kernels } from "../kernels/kernels.ts";
import { InsertionAccumulator } from "../labelling/insertion-accumulator.ts";
import { insertionEffect } from "../labelling/insertion-effect.ts";
import { decideVerdicts, type Verdict } from "../labelling/verdict.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { recycle } from "../tensor/shared.ts";
import { type Dictionary, write } from "./dictionary.ts";
import type { EvaluationBatch } from "./half-sample.ts";
import type { LatentPool } from "./latent-pool.ts";

/** What each latent does for its dictionary on tokens that had no part in choosing it; every column is [k]. */
export interface LatentEvidence {
  /** Documents the standard errors rest on; tokens, where the sample does not know its documents. */
  readonly documents: number;
  /** Change of the MSE per element when the latent enters the dictionary without it; negative improves. */
  readonly deltaMse: Float64Array;
  /** Standard error of `deltaMse`, tokens summed within documents first. */
  readonly standardError: Float64Array;
  /** `novel` when it improves the rest of the dictionary, `reconstruction` when the rest does as well without it or better. */
  readonly verdict: readonly Verdict[];
  /** Tokens on which it is active. */
  readonly fired: Float64Array;
}

/**
 * Measure every latent's ΔMSE of entering the dictionary without it, in one pass, exactly: with r the residual of the whole
 * dictionary, the residual without latent j has ⟨w, r⟩ + f ‖w‖² along w on each of its firings. Directions and bias stay as they are.
 */
export async function measureEvidence(
  dictionary: Dictionary,
  pool: LatentPool,
  batches: AsyncIterable<EvaluationBatch>,
  kernels: Kernels,
  {
    falseDiscoveryRate = 0.05,
    unit = "document",
  }: {
    /** Share of wrong signs tolerated among the decided latents. */
    readonly falseDiscoveryRate?: number;
    /** `token` when each token is a document of its own. */
    readonly unit?: "document" | "token";
  } = {},
): Promise<LatentEvidence> {
  const { directions } = dictionary;
  const normsSquared = rowNormsSquared(directions);
  const insertion = new InsertionAccumulator(normsSquared);
  for await (const batch of batches) {
    const { code, residual } = await write(dictionary, pool, batch, kernels);
    const projections = await kernels.project(code, directions, residual);
    for (let e = 0; e < projections.length; e++)
      projections[e] += code.values[e] * normsSquared[code.indices[e]];
    insertion.add({ code, projections, ...(unit === "document" && { documentIds: batch.documents }) });
    for (const done of [residual, batch.activations, batch.target]) recycle(done.values);
  }
  const sums = insertion.sums();
  const meanResidual = new Float64Array(directions.columns);
  const { documents, deltaMse, standardError } = insertionEffect(sums, directions, {
    bias: "host",
    meanResidual,
  });
  const { verdict } = decideVerdicts(deltaMse, standardError, sums.fired, falseDiscoveryRate);
  return { documents, deltaMse, standardError, verdict, fired: sums.fired };
}
