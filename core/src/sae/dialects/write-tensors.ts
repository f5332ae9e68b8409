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
 * The tensors of a JumpReLU SAE that all layouts name and shape alike: W_enc [d, m], b_enc [m], W_dec [m, d], b_dec [d], threshold [m];
 * the threshold of `relu` is 0. Throws {@link UnsupportedError} for another activation.
 */
export function jumpreluTensors(sae: Sae): TorchTensorToWrite[] {
  const { rows: m, columns: d } = sae.encoder;
  return [
    { name: "W_enc", dtype: "F32", shape: [d, m], values: transposedPieces(sae.encoder) },
    { name: "b_enc", dtype: "F32", shape: [m], values: sae.encoderBias },
    { name: "W_dec", dtype: "F32", shape: [m, d], values: sae.decoder.values },
    { name: "b_dec", dtype: "F32", shape: [d], values: sae.decoderBias },
    { name: "threshold", dtype: "F32", shape: [m], values: thresholdOf(sae) },
  ];
}

function thresholdOf({ activation, encoder, origin }: Sae): Float32Array {
  if (activation.kind === "relu") return new Float32Array(encoder.rows);
  if (activation.kind === "jumprelu") return activation.threshold;
  throw new UnsupportedError(
    `Cannot write ${origin.location ?? "the SAE"}: its activation is ${activation.kind}, expected relu or jumprelu; put it in threshold form first`,
  );
}

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
