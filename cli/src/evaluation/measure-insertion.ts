import { type CodeStore, codeSample, measureTrajectory, trajectory } from "@saestitch/core";
import { UsageError } from "../arguments/usage-error.ts";
import { withoutInputScale } from "../inputs/open-codes.ts";
import type { Inputs } from "../inputs/open-inputs.ts";
import type { SaeInput } from "../inputs/provenance.ts";

/** Latents of one SAE that are inserted into another together, each firing as in its own SAE. */
export interface Insertion {
  readonly host: SaeInput;
  readonly donor: SaeInput;
  readonly latents: readonly number[];
}

/** What inserting them does to the reconstruction. */
export interface MeasuredInsertion extends Insertion {
  /** Mean number of active latents per token, the inserted ones counted. */
  readonly l0: number;
  readonly mse: number;
  /** MSE with them − MSE of the host alone. */
  readonly deltaMse: number;
  /** 1 − Σ‖r‖² / Σ‖x − x̄‖². */
  readonly varianceExplained: number;
}

/**
 * An insertion whose latents exist, its SAEs as latents can move between them. Throws {@link UsageError} for one that the donor does not have.
 */
export function insertionOf(host: SaeInput, donor: SaeInput, latents: readonly number[]): Insertion {
  const count = donor.sae.decoder.rows;
  const beyond = latents.find((latent) => latent >= count);
  if (beyond !== undefined)
    throw new UsageError(
      `--latents names ${beyond}, but the latents of ${donor.location} are 0 to ${count - 1}`,
    );
  const [into, from] = [host, donor].map((input) => ({ ...input, sae: withoutInputScale(input.sae) }));
  return { host: into, donor: from, latents };
}

/** Measure an insertion on the sample, in one pass: a walk of one step. Rejects as `codeSample` and `measureTrajectory`. */
export async function measureInsertion(
  insertion: Insertion,
  { sample, kernels, startProgress }: Inputs,
  { skipNonFinite }: { readonly skipNonFinite: boolean },
): Promise<MeasuredInsertion> {
  const [smaller, larger] = [insertion.host.sae, insertion.donor.sae];
  const steps = [{ remove: [], insert: insertion.latents }];
  const coded = codeSample([smaller, larger], sample.source, kernels, {
    stores: [keepsNothing, keepsNothing],
    end: sample.rows,
    skipNonFinite,
  });
  const progress = startProgress({ label: "insertion", unit: "rows", total: sample.rows });
  try {
    const sums = await measureTrajectory(coded, steps, kernels, { onRows: progress.update });
    const { path } = trajectory({ smaller, larger, steps }, sums);
    return {
      ...insertion,
      l0: path.l0[1],
      mse: path.mse[1],
      deltaMse: path.deltaMse[1],
      varianceExplained: path.varianceExplained[1],
    };
  } finally {
    progress.end();
  }
}

/** For codes that are read once. */
const keepsNothing: CodeStore = {
  location: "nowhere",
  bytes: 0,
  read: async () => undefined,
  write: async (_, code) => code,
};
