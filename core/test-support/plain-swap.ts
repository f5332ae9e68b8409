import type { Sae } from "../src/sae/sae.ts";
import type { Swap } from "../src/swapping/exchange.ts";
import type { TrajectoryBias } from "../src/swapping/trajectory-bias.ts";
import { type Matrix, matrix, row } from "../src/tensor/matrix.ts";
import { plainForward, plainNormalization } from "./plain-forward.ts";

/** Tokens on which no SAE takes a decision that a rounded sum could turn. */
export function decidedRows(x: Matrix, saes: readonly Sae[]): Matrix {
  const margins = saes.map((sae) => plainForward(sae, x).map(({ margin }) => margin));
  const rows = Array.from({ length: x.rows }, (_, i) => i).filter((i) =>
    margins.every((margin) => margin[i] > 1e-4),
  );
  return matrix(rows.length, x.columns, Float32Array.from(rows.flatMap((i) => [...row(x, i)])));
}

/**
 * MSE per element and L0 of the smaller SAE after all of `steps`: its dictionary is built anew and run on every token of `x`, in plain
 * float64 arithmetic.
 */
export function plainSwapped(
  smaller: Sae,
  larger: Sae,
  x: Matrix,
  steps: readonly Swap[],
  bias: TrajectoryBias,
): { readonly mse: number; readonly l0: number } {
  const left = new Set(steps.flatMap(({ remove }) => remove));
  const entered = steps.flatMap(({ insert }) => insert);
  const kept = Array.from(smaller.encoderBias.keys()).filter((latent) => !left.has(latent));
  const codes = [plainForward(smaller, x), plainForward(larger, x)];
  const dictionary = [
    ...kept.map((latent) => ({ direction: row(smaller.decoder, latent), sae: 0, latent })),
    ...entered.map((latent) => ({ direction: row(larger.decoder, latent), sae: 1, latent })),
  ];
  const tokens = Array.from({ length: x.rows }, (_, i) => {
    const values = [...row(x, i)];
    const { scale, shift } = plainNormalization(smaller.normalization, values);
    const code = dictionary.map(({ sae, latent }) => codes[sae][i].code[latent]);
    const written = values.map((_, c) => sum(code.map((f, j) => f * dictionary[j].direction[c])));
    return { values, scale: scale.out, shift, written, active: code.filter((f) => f > 0).length };
  });
  const errorWith = (decoderBias: readonly number[]) =>
    tokens.map(({ values, scale, shift, written }) =>
      values.map((value, c) => value - scale * (written[c] + decoderBias[c]) - shift),
    );

  const ends = [[...smaller.decoderBias], [...larger.decoderBias]];
  const towardsLarger = (share: number) => ends[0].map((b, c) => b + share * (ends[1][c] - b));
  const moved = left.size + entered.length;
  const biases: Record<TrajectoryBias, () => number[]> = {
    host: () => towardsLarger(0),
    interpolate: () => towardsLarger(moved / (smaller.encoderBias.length + larger.encoderBias.length)),
    donor: () => towardsLarger(steps.length === 0 ? 0 : 1),
    refit: () => {
      const errors = errorWith(towardsLarger(0));
      const scales = sum(tokens.map(({ scale }) => scale ** 2));
      return ends[0].map((b, c) => b + sum(errors.map((error, i) => tokens[i].scale * error[c])) / scales);
    },
  };
  const errors = errorWith(biases[bias]());
  return {
    mse: sum(errors.flat().map((error) => error ** 2)) / x.values.length,
    l0: sum(tokens.map(({ active }) => active)) / x.rows,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
