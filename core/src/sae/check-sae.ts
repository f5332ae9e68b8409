import { DataError, ShapeError } from "../errors.ts";
import type { Matrix } from "../tensor/matrix.ts";
import type { Sae } from "./sae.ts";

/**
 * Throw unless the parts of `sae` fit together ({@link ShapeError}) and every number in it is finite and where it has
 * to be positive, positive ({@link DataError}, naming the tensor, how many are not and where the first is).
 */
export function checkSae(sae: Sae): void {
  const name = sae.origin.location ?? "The SAE";
  const { rows: m, columns: d } = sae.encoder;
  if (m < 1 || d < 1) throw new ShapeError(`${name} has an encoder of ${m} × ${d}, expected at least 1 × 1`);
  checkMatrix(name, "encoder", sae.encoder, m, d);
  checkMatrix(name, "decoder", sae.decoder, m, d);
  checkVector(name, "encoder bias", sae.encoderBias, m);
  checkVector(name, "decoder bias", sae.decoderBias, d);
  checkVector(name, "input bias", sae.inputBias, d);
  checkActivation(name, sae, m);
  checkNormalization(name, sae, d);
}

function checkActivation(name: string, { activation }: Sae, m: number): void {
  switch (activation.kind) {
    case "relu":
      return;
    case "jumprelu":
      checkVector(name, "threshold", activation.threshold, m);
      return;
    case "topk":
      if (!Number.isInteger(activation.k) || activation.k < 1 || activation.k > m)
        throw new ShapeError(
          `${name} keeps the ${activation.k} largest of ${m} latents, expected between 1 and ${m}`,
        );
      return;
    case "batchtopk":
      if (!Number.isFinite(activation.threshold))
        throw new DataError(`${name} has the threshold ${activation.threshold}, expected a finite number`);
      return;
    case "gated":
      checkVector(name, "magnitude offset", activation.magnitudeOffset, m);
      checkVector(name, "magnitude scale", activation.magnitudeScale, m, "positive");
      return;
    default:
      activation satisfies never;
  }
}

function checkNormalization(name: string, { normalization }: Sae, d: number): void {
  if (normalization.kind === "layer-norm" && d < 2)
    throw new ShapeError(
      `${name} normalises activations of width ${d} by their deviation, expected at least 2`,
    );
  if (normalization.kind !== "expected-average" || normalization.factor === null) return;
  if (!(normalization.factor > 0 && Number.isFinite(normalization.factor)))
    throw new DataError(
      `${name} multiplies activations by ${normalization.factor}, expected a positive finite number`,
    );
}

function checkMatrix(name: string, part: string, m: Matrix, rows: number, columns: number): void {
  if (m.rows !== rows || m.columns !== columns)
    throw new ShapeError(`The ${part} of ${name} is ${m.rows} × ${m.columns}, expected ${rows} × ${columns}`);
  checkVector(name, part, m.values, rows * columns, "finite", columns);
}

function checkVector(
  name: string,
  part: string,
  values: Float32Array,
  length: number,
  wanted: "finite" | "positive" = "finite",
  columns = 0,
): void {
  if (values.length !== length)
    throw new ShapeError(`The ${part} of ${name} has ${values.length} values, expected ${length}`);
  let count = 0;
  let first = -1;
  for (let p = 0; p < values.length; p++) {
    if (Number.isFinite(values[p]) && (wanted === "finite" || values[p] > 0)) continue;
    if (count === 0) first = p;
    count++;
  }
  if (count === 0) return;
  const index = columns === 0 ? `${first}` : `${Math.floor(first / columns)}, ${first % columns}`;
  throw new DataError(
    `The ${part} of ${name} holds ${count} values that are not ${wanted}, expected none; the first is ${values[first]} at [${index}]`,
  );
}
