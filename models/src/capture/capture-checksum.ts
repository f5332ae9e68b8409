import { DataError, type Matrix, randomDirection, row, seededRandom } from "@saestitch/core";
import type { CaptureChecksum, CaptureDtype } from "./capture-manifest.ts";
import type { CapturedWindow } from "./capture-windows.ts";

/** Rows that are checked at most. */
const mostRows = 128;
const seed = 1;

/** Largest difference of norm and projection, as a share of the norm, that storing may make: twice what rounding can. */
export const storageTolerance: Readonly<Record<CaptureDtype, number>> = {
  float32: 1e-6,
  float16: 2 ** -10,
  bfloat16: 2 ** -7,
};

/** What the first at most 128 rows of a sample must be, of its first captured windows (at least one). */
export function captureChecksum(first: readonly CapturedWindow[]): CaptureChecksum {
  const windows: number[][] = [];
  const norms: number[] = [];
  const projections: number[] = [];
  const direction = directionOf(seed, first[0].activations.columns);
  for (const { window, activations } of first) {
    if (norms.length >= mostRows) break;
    windows.push([...window.tokenIds]);
    for (let i = 0; i < activations.rows && norms.length < mostRows; i++) {
      const measured = measure(row(activations, i), direction);
      norms.push(measured.norm);
      projections.push(measured.projection);
    }
  }
  return { windows, seed, norms, projections };
}

/** What checking rows against a {@link CaptureChecksum} found. */
export interface ChecksumAgreement {
  /** Rows that were compared. */
  readonly rows: number;
  /** Largest difference of norm and projection, as a share of the norm. */
  readonly largest: number;
}

/**
 * Compare rows [n × d], n being the number of checked rows, with the checksum. Throws {@link DataError} naming the first row whose norm or
 * projection differs by more than `tolerance` times its norm; `name` is what to call the rows.
 */
export function compareChecksum(
  activations: Matrix,
  { norms, projections, seed }: CaptureChecksum,
  { tolerance, name }: { readonly tolerance: number; readonly name: string },
): ChecksumAgreement {
  const direction = directionOf(seed, activations.columns);
  let largest = 0;
  for (let i = 0; i < norms.length; i++) {
    const { norm, projection } = measure(row(activations, i), direction);
    const difference = Math.max(Math.abs(norm - norms[i]), Math.abs(projection - projections[i]));
    const share = difference === 0 ? 0 : difference / norms[i];
    // Turned around, so that NaN is caught.
    if (!(share <= tolerance))
      throw new DataError(
        `${name}: row ${i} is not what was captured: its norm is ${norm} and was ${norms[i]}, its projection ${projection} and was ` +
          `${projections[i]}; at most ${tolerance} of the norm may differ`,
      );
    largest = Math.max(largest, share);
  }
  return { rows: norms.length, largest };
}

function directionOf(seed: number, d: number): Float32Array {
  const direction = new Float32Array(d);
  randomDirection(seededRandom(seed), direction);
  return direction;
}

function measure(activation: Float32Array, direction: Float32Array) {
  let square = 0;
  let projection = 0;
  for (let k = 0; k < activation.length; k++) {
    square += activation[k] ** 2;
    projection += activation[k] * direction[k];
  }
  return { norm: Math.sqrt(square), projection };
}
