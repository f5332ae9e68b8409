import type { ActivationBatch, ActivationSource } from "../activations/activation-source.ts";
import { mapBatches } from "../activations/map-batches.ts";
import { usableRows } from "../activations/usable-rows.ts";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { checkComparable } from "../sae/comparable.ts";
import { type Contributions, encode, residual } from "../sae/encode.ts";
import { outputAffine } from "../sae/normalize.ts";
import type { Sae } from "../sae/sae.ts";
import { selectionOf } from "../sae/selection.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { CodeStore, Stretch } from "./code-store.ts";
import type { CodedBatch, CodedSample, ResidualReading } from "./coded-sample.ts";
import { memoryCodeStore } from "./memory-code-store.ts";

/** Values of a stretch of activations, at most. */
const STRETCH_VALUES = 2 ** 22;
const FEWEST_ROWS = 256;
const MOST_ROWS = 2 ** 15;

/** Rows of a stretch of activations of width `d`: a power of two that keeps a stretch within 16 MiB, where it can. */
export function stretchRows(d: number): number {
  const rows = 2 ** Math.floor(Math.log2(STRETCH_VALUES / d));
  return Math.min(MOST_ROWS, Math.max(FEWEST_ROWS, rows));
}

/**
 * The codes of `saes` over `source`: a stretch that a store does not hold is encoded when it is first met, and kept there.
 * So work that was interrupted goes on where it was, and a second reading encodes nothing. What an SAE leaves of the activations,
 * from its kept codes, is made only where another is to encode it.
 *
 * Throws as {@link checkComparable} does; {@link ShapeError} when the sample is of another width, there is not one store per SAE, or
 * `residualOf` names no SAE before the one that reads its residual, and while reading when a store holds codes of another shape;
 * {@link UnsupportedError} for an SAE that reads a residual and normalises it; {@link DataError} when the sample has no rows, and
 * while reading when rows hold NaN or infinite values, unless `skipNonFinite`.
 */
export function codeSample(
  saes: readonly Sae[],
  source: ActivationSource,
  kernels: Kernels,
  {
    stores = saes.map(memoryCodeStore),
    end = source.rows,
    skipNonFinite = false,
    residualOf = [],
  }: {
    /** One per SAE; memory by default. */
    readonly stores?: readonly CodeStore[];
    /** Rows of the sample to use (default all). */
    readonly end?: number;
    readonly skipNonFinite?: boolean;
    /** Which SAEs read what another leaves (default none). */
    readonly residualOf?: ResidualReading;
  } = {},
): CodedSample {
  checkComparable(saes);
  const d = saes[0].decoder.columns;
  if (source.d !== d)
    throw new ShapeError(
      `The SAEs read activations of width ${d}, but ${source.location} holds activations of width ${source.d}`,
    );
  if (end === 0) throw new DataError(`${source.location} holds no activations; at least one is needed`);
  if (stores.length !== saes.length)
    throw new ShapeError(`${saes.length} SAEs need as many stores of codes, got ${stores.length}`);
  checkResidualReading(residualOf, saes);
  const selections = saes.map(selectionOf);
  /** Per SAE the codes that are being read or made, by first row of their stretch: a reading that was left early may be at it. */
  const underway = saes.map(() => new Map<number, Promise<SparseCode>>());

  async function codeBatch(batch: ActivationBatch): Promise<CodedBatch> {
    const usable = usableRows(batch, source.location, { skipNonFinite });
    const { activations, documentIds, excluded, nonFinite } = usable;
    if (activations !== batch.activations) recycle(batch.activations.values);
    const stretch = { start: batch.start, end: batch.start + batch.activations.rows };
    const codes = await Promise.all(
      saes.map(async (sae, s): Promise<Contributions> => {
        // An SAE that reads a residual has no output affine: it does not normalise.
        return { contributions: await codeOf(s, stretch, activations), ...outputAffine(activations, sae) };
      }),
    );
    return { ...stretch, activations, ...(documentIds && { documentIds }), codes, excluded, nonFinite };
  }

  function codeOf(s: number, stretch: Stretch, x: Matrix): Promise<SparseCode> {
    const found = underway[s].get(stretch.start);
    if (found !== undefined) return found;
    const code = keptOrMade(s, stretch, x).finally(() => underway[s].delete(stretch.start));
    underway[s].set(stretch.start, code);
    return code;
  }

  /** What SAE number `s` reads of the activations `x`, which it leaves as they are. */
  async function readingOf(s: number, stretch: Stretch, x: Matrix): Promise<Matrix> {
    const host = residualOf[s];
    if (host === undefined) return x;
    const contributions = await codeOf(host, stretch, x);
    const read = await readingOf(host, stretch, x);
    const affine = outputAffine(read, saes[host]);
    const left = await residual(saes[host], read, { contributions, ...affine }, kernels);
    if (read !== x) recycle(read.values);
    return left;
  }

  async function keptOrMade(s: number, stretch: Stretch, x: Matrix): Promise<SparseCode> {
    const kept = await stores[s].read(stretch);
    if (kept === undefined) {
      const read = await readingOf(s, stretch, x);
      const { contributions } = await encode(saes[s], read, kernels, { selection: selections[s] });
      if (read !== x) recycle(read.values);
      return stores[s].write(stretch, contributions);
    }
    const latents = saes[s].decoder.rows;
    if (kept.rows === x.rows && kept.columns === latents) return kept;
    throw new ShapeError(
      `${stores[s].location} holds codes of ${kept.rows} rows and ${kept.columns} latents for rows ${stretch.start} to ${stretch.end}, ` +
        `expected ${x.rows} rows and ${latents} latents: they are of another SAE or sample`,
    );
  }

  return {
    location: source.location,
    d,
    rows: end,
    saes,
    ...(residualOf.some((host) => host !== undefined) && { residualOf }),
    batches: () => mapBatches(source.batches({ end, batchRows: stretchRows(d) }), codeBatch),
  };
}

function checkResidualReading(residualOf: ResidualReading, saes: readonly Sae[]): void {
  residualOf.forEach((host, s) => {
    if (host === undefined) return;
    if (!(s < saes.length && Number.isInteger(host) && host >= 0 && host < s))
      throw new ShapeError(
        `SAE ${s} of ${saes.length}, numbered from 0, cannot read the residual of SAE ${host}: expected one before it`,
      );
    const { kind } = saes[s].normalization;
    if (kind !== "none")
      throw new UnsupportedError(
        `${saes[s].origin.location ?? `SAE ${s}`} normalises its input by ${kind}, and cannot read what another SAE leaves: ` +
          "what it writes would have the scale of the residual's tokens, not of the activations'",
      );
  });
}
