import { UnsupportedError } from "../errors.ts";
import type { Selection } from "../kernels/kernels.ts";
import type { Sae } from "../sae/sae.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/**
 * How an inserted latent and the host's latents share a token when they compete (TopK).
 *
 * - `independent`: the latent fires as it did in its own SAE, beside the host's; the host's L0 grows.
 * - `joint`: one top-k over the host's latents and the inserted one; L0 stays at the host's k. The latent enters where its
 *   pre-activation exceeds the host's k-th largest, which then leaves.
 */
export type Gating = "independent" | "joint";

/** Throw {@link UnsupportedError} unless `joint` gating means something for these SAEs. */
export function checkJointGating(host: Sae, donor: Sae): void {
  for (const [role, sae] of [
    ["smaller", host],
    ["larger", donor],
  ] as const) {
    if (sae.activation.kind !== "topk") {
      throw new UnsupportedError(
        `Joint gating needs two TopK SAEs, whose latents compete; the ${role} one is ${sae.activation.kind}. Use independent gating`,
      );
    }
  }
  if (host.normalization.kind !== donor.normalization.kind) {
    throw new UnsupportedError(
      `Joint gating compares pre-activations, but the SAEs normalise their input differently: ${host.normalization.kind} and ${donor.normalization.kind}`,
    );
  }
}

/**
 * The entry of each row's weakest latent where the row has all `k` of its latents, which an entering latent would evict; −1
 * where there is room. Among equals the highest index leaves, as in a top-k whose ties go to the lower index.
 */
export function weakestEntries(code: SparseCode, k: number): Int32Array {
  const weakest = new Int32Array(code.rows).fill(-1);
  for (let row = 0; row < code.rows; row++) {
    const start = code.offsets[row];
    if (code.offsets[row + 1] - start < k) continue;
    weakest[row] = start;
    for (let e = start; e < code.offsets[row + 1]; e++) {
      if (code.values[e] <= code.values[weakest[row]]) weakest[row] = e;
    }
  }
  return weakest;
}

/** The code with nothing but the given entry of each row; −1 leaves the row empty. */
export function onlyEntries(code: SparseCode, entries: Int32Array): SparseCode {
  const kept = entries.filter((entry) => entry >= 0);
  const offsets = new Int32Array(code.rows + 1);
  for (let row = 0; row < code.rows; row++) offsets[row + 1] = offsets[row] + (entries[row] >= 0 ? 1 : 0);
  return {
    rows: code.rows,
    columns: code.columns,
    offsets,
    indices: kept.map((entry) => code.indices[entry]),
    values: Float32Array.from(kept, (entry) => code.values[entry]),
  };
}

/** What a latent's pre-activation must exceed to enter each row: the activation it would evict, or zero where there is room. */
export function entrySelection(code: SparseCode, weakest: Int32Array): Selection {
  return {
    kind: "row-threshold",
    threshold: Float32Array.from(weakest, (entry) => (entry < 0 ? 0 : code.values[entry])),
  };
}
