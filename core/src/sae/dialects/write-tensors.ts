import { UnsupportedError } from "../../errors.ts";
import type { TorchTensorToWrite } from "../../formats/encode-torch.ts";
import type { ValuePieces } from "../../formats/tensor-to-write.ts";
import type { Matrix } from "../../tensor/matrix.ts";
import type { Sae } from "../sae.ts";

/** Values of a transposed matrix held at once, where its rows are not longer. */
const pieceLength = 2 ** 20;

/** Rows of a transposed matrix in a piece at least: neighbours that one cache line brings. */
const fewestRows = 16;

/**
 * The tensors that all layouts name and shape alike: W_enc [d, m], the bias of the pre-activations [m] by the name given, W_dec [m, d],
 * b_dec [d].
 */
export function linearTensors(sae: Sae, biasName: string): TorchTensorToWrite[] {
  const { rows: m, columns: d } = sae.encoder;
  return [
    { name: "W_enc", dtype: "F32", shape: [d, m], values: transposedPieces(sae.encoder) },
    { name: biasName, dtype: "F32", shape: [m], values: sae.encoderBias },
    { name: "W_dec", dtype: "F32", shape: [m, d], values: sae.decoder.values },
    { name: "b_dec", dtype: "F32", shape: [d], values: sae.decoderBias },
  ];
}

/**
 * The tensors of a JumpReLU SAE, which all layouts name and shape alike: those of {@link linearTensors} with b_enc, and threshold [m]. The
 * threshold of `relu` is 0, that of `batchtopk` the same for all latents. Throws {@link UnsupportedError} for another activation,
 * which has to be in threshold form to be written in `layout`.
 */
export function jumpreluTensors(sae: Sae, layout: string): TorchTensorToWrite[] {
  const values = thresholdOf(sae, layout);
  return [
    ...linearTensors(sae, "b_enc"),
    { name: "threshold", dtype: "F32", shape: [values.length], values },
  ];
}

function thresholdOf({ activation, encoder, origin }: Sae, layout: string): Float32Array {
  switch (activation.kind) {
    case "relu":
      return new Float32Array(encoder.rows);
    case "jumprelu":
      return activation.threshold;
    case "batchtopk":
      return new Float32Array(encoder.rows).fill(activation.threshold);
    case "topk":
    case "gated":
      throw new UnsupportedError(
        `Cannot write ${origin.location ?? "the SAE"} in the layout ${layout}: its activation is ${activation.kind}, expected relu, jumprelu or batchtopk; ` +
          `use the layout saelens, or ${thresholdForm[activation.kind]}`,
      );
    default:
      return activation satisfies never;
  }
}

/** How an activation without thresholds gets them. */
const thresholdForm = {
  topk: "find a threshold that keeps as many latents on a sample (topkThreshold)",
  gated: "put it in threshold form first (toThresholdForm)",
} as const;

/** The transpose of a matrix, a few of its rows at a time. */
export function transposedPieces({ rows, columns, values }: Matrix): ValuePieces {
  const perPiece = Math.max(fewestRows, Math.floor(pieceLength / rows));
  return {
    length: values.length,
    *pieces() {
      for (let first = 0; first < columns; first += perPiece) {
        const count = Math.min(perPiece, columns - first);
        const piece = new Float32Array(count * rows);
        for (let j = 0; j < rows; j++)
          for (let i = 0; i < count; i++) piece[i * rows + j] = values[j * columns + first + i];
        yield piece;
      }
    },
  };
}

/** Throw {@link UnsupportedError} unless `sae` reads activations as they are, all that `layout` can say. */
export function checkNotNormalized({ normalization, origin }: Sae, layout: string): void {
  if (normalization.kind === "none") return;
  throw new UnsupportedError(
    `Cannot write ${origin.location ?? "the SAE"} in the layout ${layout}: it normalises activations by ${normalization.kind}, ` +
      "which that layout cannot say; use the layout saelens",
  );
}

/** A JSON file of one object; keys that are undefined are left out. */
export function jsonBytes(object: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(object, undefined, 2)}\n`);
}
