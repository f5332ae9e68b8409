import { type ActivationSource, DataError, type Matrix, zeros } from "@saestitch/core";
import type { Model } from "../model.ts";
import type { TokenWindow } from "../tokens/token-window.ts";
import { type ChecksumAgreement, compareChecksum, storageTolerance } from "./capture-checksum.ts";
import type { CaptureManifest } from "./capture-manifest.ts";
import { captureWindows } from "./capture-windows.ts";

/** What decides whether rows are those of a capture. */
export type VerifiableCapture = Pick<
  CaptureManifest,
  "d" | "dtype" | "tokens" | "checksum" | "tensor" | "hook" | "processing"
>;

/**
 * Compare the first rows of stored activations with what they were when they were captured. Rejects with {@link DataError} that says what
 * differs: number and width of the rows, their tokens, or norm and projection of a row by more than storing can change them
 * ({@link storageTolerance} of the norm).
 */
export async function verifyCapture(
  source: ActivationSource,
  { d, dtype, tokens, checksum }: VerifiableCapture,
): Promise<ChecksumAgreement> {
  if (source.rows !== tokens || source.d !== d)
    throw new DataError(
      `${source.location} has ${source.rows} rows of width ${source.d}, but ${tokens} of width ${d} were captured`,
    );
  const first = firstRows(checksum.norms.length, d);
  const wanted = checksum.windows.flat();
  for await (const batch of source.batches({ end: checksum.norms.length })) {
    batch.tokenIds?.forEach((token, i) => {
      if (token !== wanted[batch.start + i])
        throw new DataError(
          `${source.location}: row ${batch.start + i} is of the token ${token}, but ${wanted[batch.start + i]} was captured`,
        );
    });
    first.add(batch.activations);
  }
  return compareChecksum(first.rows, checksum, { tolerance: storageTolerance[dtype], name: source.location });
}

/**
 * Run a model on the first tokens of a capture and compare what it gives. Rejects with {@link DataError} naming the first row that differs by more
 * than `tolerance` of its norm, or a token that the model does not have; and with UnsupportedError where the model has no such hook.
 *
 * One engine repeats itself to about 1e-6; other engines and devices differ by some 1e-4; another model, place or processing by about 1.
 */
export async function verifyCaptureWithModel(
  model: Pick<Model, "activations" | "findHook" | "location" | "vocabulary">,
  { tensor, hook: name, processing, checksum }: VerifiableCapture,
  { tolerance = 1e-3 }: { readonly tolerance?: number } = {},
): Promise<ChecksumAgreement> {
  const { location, vocabulary = Number.POSITIVE_INFINITY } = model;
  const unknown = checksum.windows.flat().find((token) => token >= vocabulary);
  if (unknown !== undefined)
    throw new DataError(
      `${location} is not what was captured from: it tells ${vocabulary} tokens apart, and token ${unknown} was read`,
    );
  const hook = await model.findHook(name ?? tensor);
  const first = firstRows(checksum.norms.length, hook.d);
  const windows = checksum.windows.map(windowOf);
  for await (const { activations } of captureWindows(model, hook, windows, { processing }))
    first.add(activations);
  return compareChecksum(first.rows, checksum, {
    tolerance,
    name: `${hook.name ?? hook.tensor} of ${location}`,
  });
}

/** The first `n` rows of what is added, n × d. */
function firstRows(n: number, d: number) {
  const rows = zeros(n, d);
  let filled = 0;
  return {
    rows,
    add({ values }: Matrix) {
      const taken = values.subarray(0, rows.values.length - filled);
      rows.values.set(taken, filled);
      filled += taken.length;
    },
  };
}

function windowOf(tokens: readonly number[]): TokenWindow {
  return {
    tokenIds: Int32Array.from(tokens),
    documentIds: new Int32Array(tokens.length),
    excluded: new Uint8Array(tokens.length),
  };
}
