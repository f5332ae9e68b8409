import type { GradientTerm, Kernels } from "../kernels/kernels.ts";
import { columnSums, sumOfSquares } from "../linalg/norm.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { splitColumns } from "../tensor/split-columns.ts";
import type { transposer } from "../tensor/transpose-code.ts";

/** The reconstruction error of a batch, and its derivatives. */
export interface ReconstructionLoss {
  /** Mean over tokens, and over prefixes, of ‖u − û‖². */
  readonly loss: number;
  /** Σ over tokens of ‖u − û‖², all latents taken. */
  readonly sse: number;
  /** u − û of all latents, [b × d]. */
  readonly residual: Matrix;
  /** By the activation of each entry. */
  readonly byActivation: Float32Array;
  /** By the decoder. */
  readonly decoder: readonly GradientTerm[];
  /** By what is added to every reconstruction, [d]. */
  readonly byConstant: Float64Array;
}

/**
 * How well each prefix of the latents reconstructs `centred` = u [b × d] from `code` [b × m]: û = Σ activation · direction over the
 * latents before the prefix's end. Only entries are touched; the last prefix is all latents. `turn` is the code's transposer.
 *
 * With several prefixes (Matryoshka, Bussmann et al., arXiv 2503.17547) a latent answers for the mean of the residuals of all
 * prefixes that hold it.
 */
export async function reconstructionLoss(
  { code, turn }: { readonly code: SparseCode; readonly turn: ReturnType<typeof transposer> },
  decoder: Matrix,
  centred: Matrix,
  prefixes: readonly number[],
  kernels: Kernels,
): Promise<ReconstructionLoss> {
  const parts = prefixes.length === 1 ? [{ code, entries: undefined }] : splitColumns(code, prefixes);
  const residuals: Matrix[] = [];
  for (const part of parts)
    residuals.push(await kernels.decode(part.code, decoder, residuals.at(-1) ?? centred, -1));
  const perPrefix = residuals.map(({ values }) => sumOfSquares(values));
  const slope = -2 / (code.rows * prefixes.length);
  const shared = suffixSums(residuals);

  const byActivation = allocateFloat32(code.values.length);
  await Promise.all(
    parts.map(async ({ code, entries }, p) => {
      const projected = await kernels.project(code, decoder, shared[p]);
      for (let place = 0; place < projected.length; place++)
        byActivation[entries === undefined ? place : entries[place]] = slope * projected[place];
    }),
  );
  const byLatent = turn(code.values, slope);
  const terms = prefixes.map((end, p) => ({
    code: rowsWithin(byLatent, p === 0 ? 0 : prefixes[p - 1], end),
    rows: shared[p],
  }));
  const loss = perPrefix.reduce((sum, sse) => sum + sse, 0) / (code.rows * prefixes.length);
  return {
    loss,
    sse: perPrefix[parts.length - 1],
    residual: residuals[parts.length - 1],
    byActivation,
    decoder: terms,
    byConstant: columnSums(shared[0]).map((sum) => slope * sum),
  };
}

/** A code of the same shape with only the entries of rows `start` to `end` (exclusive); views, not copies. */
function rowsWithin(code: SparseCode, start: number, end: number): SparseCode {
  const { offsets, indices, values } = code;
  const [first, last] = [offsets[start], offsets[end]];
  return {
    ...code,
    offsets: offsets.map((offset) => Math.min(Math.max(offset, first), last) - first),
    indices: indices.subarray(first, last),
    values: values.subarray(first, last),
  };
}

/** Each matrix plus all after it; the last is the last given, the others are added to in place. */
function suffixSums(matrices: readonly Matrix[]): readonly Matrix[] {
  for (let p = matrices.length - 2; p >= 0; p--) {
    const { values } = matrices[p];
    const after = matrices[p + 1].values;
    for (let at = 0; at < values.length; at++) values[at] += after[at];
  }
  return matrices;
}
