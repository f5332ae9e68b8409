import type { ActivationBatch, ActivationSource } from "../activations/activation-source.ts";
import { mapBatches } from "../activations/map-batches.ts";
import { usableRows } from "../activations/usable-rows.ts";
import { DataError, ShapeError } from "../errors.ts";
import type { Kernels, Selection } from "../kernels/kernels.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { addBatch, emptyReconstructionSums } from "../metrics/reconstruction.ts";
import { type Encoding, encode, residual } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import { selectionOf } from "../sae/selection.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import { addAgreement, emptyAgreementSums } from "./agreement-sums.ts";
import { checkJointGating, entrySelection, type Gating, onlyEntries, weakestEntries } from "./gating.ts";
import { InsertionAccumulator, type InsertionBatch } from "./insertion-accumulator.ts";
import { emptyInsertionSums } from "./insertion-sums.ts";
import type { LabelSums } from "./label-sums.ts";

/** A pair of SAEs to be compared, and what is known before any activation is read. */
export interface Pair {
  readonly smaller: Sae;
  readonly larger: Sae;
  /** Latent of the smaller SAE with the highest decoder cosine to each latent of the larger, [m]. */
  readonly match: Int32Array;
}

/** Sums over no rows of a sample, `start` being the first that will be measured. */
export function emptyLabelSums({ smaller, larger, match }: Pair, start = 0): LabelSums {
  const d = larger.decoder.columns;
  return {
    start,
    end: start,
    excluded: 0,
    nonFinite: 0,
    smaller: emptyReconstructionSums(d, smaller.decoder.rows),
    larger: emptyReconstructionSums(d, larger.decoder.rows),
    insertion: emptyInsertionSums(larger.decoder.rows),
    agreement: emptyAgreementSums(match, smaller.decoder.rows),
  };
}

/**
 * Measure, in one pass over a sample, what inserting each latent of the larger SAE alone would do to the smaller.
 *
 * Yields the sums so far after every batch, as a function that copies them out, so that a caller can show progress, store
 * them, or stop. Going on from stored sums (`from`) gives the same bits as never having stopped, when the batches are cut
 * at the same rows.
 *
 * Throws {@link ShapeError} when the widths differ, UnsupportedError when `gating` does not apply, {@link DataError} when rows
 * hold NaN or infinite values, unless `skipNonFinite`.
 */
export async function* measureInsertion(
  pair: Pair,
  source: ActivationSource,
  kernels: Kernels,
  {
    from = emptyLabelSums(pair),
    end = source.rows,
    gating = "independent",
    skipNonFinite = false,
    batchRows = 2048,
  }: {
    readonly from?: LabelSums;
    readonly end?: number;
    readonly gating?: Gating;
    readonly skipNonFinite?: boolean;
    readonly batchRows?: number;
  } = {},
): AsyncGenerator<{ readonly end: number; readonly sums: () => LabelSums }> {
  const { smaller, larger } = pair;
  checkWidths(pair, source);
  if (gating === "joint") checkJointGating(smaller, larger);

  const sums: LabelSums = structuredClone(from);
  const insertion = new InsertionAccumulator(rowNormsSquared(larger.decoder), from.insertion);
  let position = from.end;
  let excluded = from.excluded;
  let nonFinite = from.nonFinite;
  const selections = { smaller: selectionOf(smaller), larger: selectionOf(larger) };
  const read = source.batches({ start: from.end, end, batchRows });
  const measured = mapBatches(read, (batch) =>
    measureBatch(pair, batch, source.location, kernels, { selections, gating, skipNonFinite }),
  );
  for await (const batch of measured) {
    addBatch(sums.smaller, batch.activations, batch.smallerResidual, batch.smaller.code);
    addBatch(sums.larger, batch.activations, batch.largerResidual, batch.larger.code);
    addAgreement(sums.agreement, batch.smaller.code, batch.larger.code);
    insertion.add(batch.insertion);
    for (const done of [batch.activations, batch.smallerResidual, batch.largerResidual]) recycle(done.values);
    position = batch.end;
    excluded += batch.excluded;
    nonFinite += batch.nonFinite;
    yield {
      end: position,
      sums: () => ({
        ...structuredClone(sums),
        end: position,
        excluded,
        nonFinite,
        insertion: insertion.sums(),
      }),
    };
  }
}

interface MeasuredBatch {
  readonly end: number;
  readonly excluded: number;
  readonly nonFinite: number;
  readonly activations: Matrix;
  readonly smaller: Encoding;
  readonly larger: Encoding;
  readonly smallerResidual: Matrix;
  readonly largerResidual: Matrix;
  readonly insertion: InsertionBatch;
}

async function measureBatch(
  { smaller, larger }: Pair,
  batch: ActivationBatch,
  location: string,
  kernels: Kernels,
  {
    selections,
    gating,
    skipNonFinite,
  }: {
    readonly selections: { readonly smaller: Selection; readonly larger: Selection };
    readonly gating: Gating;
    readonly skipNonFinite: boolean;
  },
): Promise<MeasuredBatch> {
  const usable = usableRows(batch, location, { skipNonFinite });
  const x = usable.activations;
  if (x !== batch.activations) recycle(batch.activations.values);
  const [host, donor] = await Promise.all([
    encode(smaller, x, kernels, { selection: selections.smaller }),
    encode(larger, x, kernels, { selection: selections.larger }),
  ]);
  const [smallerResidual, largerResidual] = await Promise.all([
    residual(smaller, x, host, kernels),
    residual(larger, x, donor, kernels),
  ]);
  const entering =
    gating === "independent"
      ? {
          code: donor.contributions,
          projections: await kernels.project(donor.contributions, larger.decoder, smallerResidual),
        }
      : await enterJointly(smaller, larger, x, host, smallerResidual, kernels);
  return {
    end: batch.start + batch.activations.rows,
    excluded: usable.excluded,
    nonFinite: usable.nonFinite,
    activations: x,
    smaller: host,
    larger: donor,
    smallerResidual,
    largerResidual,
    insertion: { ...entering, ...(usable.documentIds && { documentIds: usable.documentIds }) },
  };
}

/** Where each donor latent enters when it must beat the host's weakest latent, and what it does there once that has left. */
async function enterJointly(
  smaller: Sae,
  larger: Sae,
  x: Matrix,
  host: Encoding,
  hostResidual: Matrix,
  kernels: Kernels,
): Promise<InsertionBatch> {
  const k = smaller.activation.kind === "topk" ? smaller.activation.k : smaller.decoder.rows;
  const weakest = weakestEntries(host.code, k);
  const [entering, withoutWeakest] = await Promise.all([
    encode(larger, x, kernels, { selection: entrySelection(host.code, weakest) }),
    kernels.decode(onlyEntries(host.contributions, weakest), smaller.decoder, hostResidual, 1),
  ]);
  const before = rowNormsSquared(hostResidual);
  return {
    code: entering.contributions,
    projections: await kernels.project(entering.contributions, larger.decoder, withoutWeakest),
    evictions: rowNormsSquared(withoutWeakest).map((after, row) => after - before[row]),
  };
}

/** Throw {@link ShapeError} unless both SAEs and the sample are of one width, and {@link DataError} for a sample without rows. */
export function checkWidths(
  { smaller, larger }: Pick<Pair, "smaller" | "larger">,
  source: ActivationSource,
): void {
  const d = larger.decoder.columns;
  if (smaller.decoder.columns !== d) {
    throw new ShapeError(
      `The SAEs read activations of different width: ${smaller.decoder.columns} (${smaller.origin.location ?? "smaller"}) and ${d} (${larger.origin.location ?? "larger"})`,
    );
  }
  if (source.d !== d) {
    throw new ShapeError(
      `The SAEs read activations of width ${d}, but ${source.location} holds activations of width ${source.d}`,
    );
  }
  if (source.rows === 0)
    throw new DataError(`${source.location} holds no activations; at least one is needed`);
}
