import type { Activation, Normalization, Sae } from "../src/sae/sae.ts";
import { type Matrix, row } from "../src/tensor/matrix.ts";
import type { SparseCode } from "../src/tensor/sparse-code.ts";

/** One token through an SAE, in plain float64 arithmetic. */
export interface PlainForward {
  /** [m] */
  readonly code: number[];
  /** [d] */
  readonly reconstruction: number[];
  /** How far the closest decision was from going the other way; a rounded sum may differ where this is tiny. */
  readonly margin: number;
}

/** Options of {@link plainForward}. */
export interface PlainForwardOptions {
  /** Pre-activations are multiplied by this before latents are selected, and activations divided by it afterwards, [m]. */
  readonly selectionScale?: readonly number[];
  /** Whether ReLU comes before the k largest are kept, or after. */
  readonly reluFirst?: boolean;
}

/** The forward pass of every token of `x`, written out as the formulas say, with which fast code is compared. */
export function plainForward(sae: Sae, x: Matrix, options: PlainForwardOptions = {}): PlainForward[] {
  return Array.from({ length: x.rows }, (_, i) => plainToken(sae, [...row(x, i)], options));
}

function plainToken(
  sae: Sae,
  x: number[],
  { selectionScale, reluFirst = false }: PlainForwardOptions,
): PlainForward {
  const { shift, scale } = plainNormalization(sae.normalization, x);
  const input = x.map((value, k) => (value - shift) / scale.in - sae.inputBias[k]);
  const scaleOf = (j: number) => selectionScale?.[j] ?? 1;
  const preActivations = Array.from(
    sae.encoderBias,
    (bias, j) => (bias + sum([...row(sae.encoder, j)].map((weight, k) => weight * input[k]))) * scaleOf(j),
  );
  const { code, margin } = plainActivation(sae.activation, preActivations, reluFirst);
  const written = x.map(
    (_, k) => sae.decoderBias[k] + sum(code.map((value, j) => (value / scaleOf(j)) * row(sae.decoder, j)[k])),
  );
  return { code, reconstruction: written.map((value) => value * scale.out + shift), margin };
}

/** How `x` is normalised, `(x − shift) / scale.in`, and how what an SAE writes is brought back, `· scale.out + shift`. */
export function plainNormalization(normalization: Normalization, x: number[]) {
  const d = x.length;
  switch (normalization.kind) {
    case "none":
      return { shift: 0, scale: { in: 1, out: 1 } };
    case "layer-norm": {
      const mean = sum(x) / d;
      const deviation = Math.sqrt(sum(x.map((value) => (value - mean) ** 2)) / (d - 1));
      return { shift: mean, scale: { in: deviation + 1e-5, out: deviation } };
    }
    case "unit-mean-square": {
      const scale = Math.sqrt(sum(x.map((value) => value ** 2))) / Math.sqrt(d);
      return { shift: 0, scale: { in: scale, out: scale } };
    }
    case "expected-average": {
      const scale = 1 / (normalization.factor ?? Number.NaN);
      return { shift: 0, scale: { in: scale, out: scale } };
    }
  }
}

function plainActivation(activation: Activation, p: number[], reluFirst: boolean) {
  const above = (thresholds: (j: number) => number) => ({
    code: p.map((value, j) => (value > thresholds(j) ? Math.max(value, 0) : 0)),
    margin: Math.min(...p.map((value, j) => Math.abs(value - thresholds(j)))),
  });
  switch (activation.kind) {
    case "relu":
      return above(() => 0);
    case "jumprelu":
      return above((j) => activation.threshold[j]);
    case "batchtopk":
      return above(() => activation.threshold);
    case "gated": {
      const { magnitudeScale, magnitudeOffset } = activation;
      const magnitudes = p.map((value, j) => value * magnitudeScale[j] + magnitudeOffset[j]);
      return {
        code: magnitudes.map((value, j) => (p[j] > 0 ? Math.max(value, 0) : 0)),
        margin: Math.min(above(() => 0).margin, ...magnitudes.map(Math.abs)),
      };
    }
    case "topk": {
      const competing = reluFirst ? p.map((value) => Math.max(value, 0)) : p;
      const descending = competing.map((_, j) => j).sort((a, b) => competing[b] - competing[a]);
      const kept = new Set(descending.slice(0, activation.k));
      const [last, next] = [competing[descending[activation.k - 1]], competing[descending[activation.k]]];
      return {
        code: competing.map((value, j) => (kept.has(j) ? Math.max(value, 0) : 0)),
        // Two losers at or below zero may tie: neither is active.
        margin: next === undefined || last <= 0 ? Infinity : last - Math.max(next, 0),
      };
    }
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A sparse code with its zeros, one array for each row. */
export function denseCode(code: SparseCode): number[][] {
  return Array.from({ length: code.rows }, (_, i) => {
    const dense = new Array<number>(code.columns).fill(0);
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
      dense[code.indices[entry]] = code.values[entry];
    return dense;
  });
}

/** The largest absolute difference of two lists of numbers; NaN when one of them holds it. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`Cannot compare ${a.length} numbers with ${b.length}`);
  return Array.from(a, (value, p) => Math.abs(value - b[p])).reduce(
    (most, value) => Math.max(most, value),
    0,
  );
}
