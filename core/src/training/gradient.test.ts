import { describe, expect, test } from "vitest";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { normal, type Random, seededRandom } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import type { Architecture } from "./architecture.ts";
import { defaultTrainingOptions } from "./default-options.ts";
import { type Gradient, gradientOf } from "./gradient.ts";
import { initialState } from "./initial-state.ts";
import { objectiveOf } from "./objectives/objective-of.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { TrainingState } from "./training-state.ts";

const d = 5;
const latents = 8;
const b = 7;
const bandwidth = 0.4;

const architectures: Architecture[] = [
  { kind: "topk", k: 2 },
  { kind: "batchtopk", k: 2 },
  { kind: "matryoshka", k: 2, prefixes: [2, 5, 8] },
  { kind: "relu", l1: 0.3, l1WarmUpSteps: 4 },
  { kind: "jumprelu", targetL0: 1.5, sparsityWeight: 0.7, bandwidth, sparsityWarmUpSteps: 0 },
  { kind: "gated", l1: 0.2, l1WarmUpSteps: 0 },
];

type Weights = Record<string, Float64Array>;

/** A state with all parameters away from their first values, some latents dead, and a batch. */
function randomProblem(architecture: Architecture, seed: number) {
  const random = seededRandom(seed);
  const options = defaultTrainingOptions(
    architecture,
    { d, latents, steps: 100, batchRows: b },
    { deadAfterTokens: 10, ...("k" in architecture && { auxiliary: { weight: 0.25, count: 2 } }) },
  );
  const state = initialState(options, new Float32Array(d));
  for (const [name, { weights }] of Object.entries(state.parameters)) {
    if (name === "decoder") continue;
    const size = name === "encoder" ? 0.6 : 0.2;
    for (let at = 0; at < weights.values.length; at++) weights.values[at] += size * normal(random);
  }
  if (architecture.kind === "jumprelu") state.parameters.threshold.weights.values.fill(0.35);
  for (const j of [1, 4, 6]) state.silentTokens[j] = 11;
  state.step = 1;
  return { options, state, x: randomRows(random), silent: silentOf(state, options) };
}

function randomRows(random: Random): Matrix {
  const x = zeros(b, d);
  for (let at = 0; at < x.values.length; at++) x.values[at] = normal(random);
  return x;
}

const silentOf = ({ silentTokens }: TrainingState, { deadAfterTokens }: TrainingOptions) =>
  Array.from(silentTokens, (tokens) => tokens > deadAfterTokens);

function weightsOf({ parameters }: TrainingState): Weights {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { weights }]) => [name, Float64Array.from(weights.values)]),
  );
}

/** What is held fixed while one weight is moved: choices, residuals and decoders whose derivative is not taken. */
interface Frozen {
  readonly weights: Weights;
  readonly pre: Float64Array[];
}

const inner = (a: ArrayLike<number>, aStart: number, c: ArrayLike<number>) => {
  let sum = 0;
  for (let k = 0; k < d; k++) sum += a[aStart + k] * c[k];
  return sum;
};

function centred(x: Matrix, w: Weights): Float64Array[] {
  return Array.from({ length: b }, (_, i) =>
    Float64Array.from(row(x, i), (value, k) => value - w.decoderBias[k]),
  );
}

function preActivations(x: Matrix, w: Weights): Float64Array[] {
  return centred(x, w).map((u) =>
    Float64Array.from({ length: latents }, (_, j) => inner(w.encoder, j * d, u) + w.encoderBias[j]),
  );
}

/** u − Σ activation · direction over latents before `end`. */
function missed(
  u: Float64Array,
  code: ArrayLike<number>,
  decoder: Float64Array,
  end = latents,
): Float64Array {
  return u.map((value, k) => {
    let left = value;
    for (let j = 0; j < end; j++) left -= code[j] * decoder[j * d + k];
    return left;
  });
}

const squares = (v: Float64Array) => v.reduce((sum, value) => sum + value * value, 0);

/** The entries of a table that are among its `count` largest and above zero. */
function largest(table: readonly Float64Array[], count: number): boolean[][] {
  const all = table.flatMap((values) => [...values]).sort((a, c) => c - a);
  return table.map((values) => Array.from(values, (value) => value > 0 && value >= all[count - 1]));
}

/** The loss by its definition, in float64, one number at a time. */
function plainLoss(
  { architecture, auxiliary }: TrainingOptions,
  x: Matrix,
  w: Weights,
  { frozen, silent, step }: { frozen: Frozen; silent: boolean[]; step: number },
): number {
  const u = centred(x, w);
  const pre = preActivations(x, w);
  const error = (code: readonly ArrayLike<number>[], end = latents) =>
    u.reduce((sum, ui, i) => sum + squares(missed(ui, code[i], w.decoder, end)), 0) / b;
  switch (architecture.kind) {
    case "topk":
    case "batchtopk":
    case "matryoshka": {
      const chosen =
        architecture.kind === "topk"
          ? frozen.pre.flatMap((values) => largest([values], architecture.k))
          : largest(frozen.pre, architecture.k * b);
      const code = pre.map((values, i) => values.map((value, j) => (chosen[i][j] ? value : 0)));
      const prefixes = architecture.kind === "matryoshka" ? architecture.prefixes : [latents];
      const loss = prefixes.reduce((sum, end) => sum + error(code, end), 0) / prefixes.length;
      if (auxiliary === undefined) return loss;
      // The residual is a constant of the auxiliary loss, so it is that of the weights before one was moved.
      const before = frozen.pre.map((values, i) => values.map((value, j) => (chosen[i][j] ? value : 0)));
      const revived = frozen.pre.map(
        (values) => largest([values.map((value, j) => (silent[j] ? value : 0))], auxiliary.count)[0],
      );
      const revival = centred(x, frozen.weights).reduce((sum, ui, i) => {
        const residual = missed(ui, before[i], frozen.weights.decoder);
        const attempt = pre[i].map((value, j) => (revived[i][j] ? value : 0));
        return sum + squares(missed(residual, attempt, w.decoder));
      }, 0);
      return loss + (auxiliary.weight * revival) / b;
    }
    case "relu": {
      const code = pre.map((values) => values.map((value) => Math.max(value, 0)));
      const weight = architecture.l1 * Math.min(1, (step + 1) / architecture.l1WarmUpSteps);
      return error(code) + (weight * code.flatMap((values) => [...values]).reduce((a, c) => a + c, 0)) / b;
    }
    case "jumprelu": {
      // The jump, replaced by what its straight-through estimate is the derivative of: around the first threshold θ₀, activation and
      // count change by −θ₀/ε and −1/ε for each unit that θ moves.
      const { targetL0, sparsityWeight } = architecture;
      let count = 0;
      const code = pre.map((values, i) =>
        values.map((value, j) => {
          const first = frozen.weights.threshold[j];
          const moved = w.threshold[j] - first;
          const isNear = Math.abs(frozen.pre[i][j] - first) < bandwidth / 2;
          const isActive = frozen.pre[i][j] > first;
          count += (isActive ? 1 : 0) - (isNear ? moved / bandwidth : 0);
          return (isActive ? value : 0) - (isNear ? (first * moved) / bandwidth : 0);
        }),
      );
      return error(code) + sparsityWeight * (count / b / targetL0 - 1) ** 2;
    }
    case "gated": {
      const code = pre.map((values) =>
        values.map((z, j) =>
          z > 0 ? Math.max(0, Math.exp(w.logScale[j]) * (z - w.encoderBias[j]) + w.magnitudeBias[j]) : 0,
        ),
      );
      const gates = pre.map((values) => values.map((z) => Math.max(z, 0)));
      // The decoder bias that the gates' reconstruction adds is held fixed like their decoder, but not that of the encoder's input.
      const shift = w.decoderBias.map((value, k) => value - frozen.weights.decoderBias[k]);
      const held = u.reduce(
        (sum, ui, i) =>
          sum + squares(missed(ui, gates[i], frozen.weights.decoder).map((value, k) => value + shift[k])),
        0,
      );
      const l1 = gates.flatMap((values) => [...values]).reduce((a, c) => a + c, 0);
      return error(code) + (held + architecture.l1 * l1) / b;
    }
    default:
      return architecture satisfies never;
  }
}

/** The gradient that Adam would go down, all of it. */
function denseGradient({ encoder, decoder, vectors }: Gradient): Weights {
  const dense = (terms: Gradient["encoder"]) => {
    const sum = new Float64Array(latents * d);
    for (const { code, rows } of terms)
      for (let j = 0; j < latents; j++)
        for (let entry = code.offsets[j]; entry < code.offsets[j + 1]; entry++)
          for (let k = 0; k < d; k++)
            sum[j * d + k] += code.values[entry] * row(rows, code.indices[entry])[k];
    return sum;
  };
  return {
    encoder: dense(encoder),
    decoder: dense(decoder),
    ...Object.fromEntries(Object.entries(vectors).map(([name, v]) => [name, Float64Array.from(v)])),
  };
}

describe.each(architectures)("gradientOf() of $kind", (architecture) => {
  test.each([1, 2, 3])("is the derivative of the loss by every weight, batch %i", async (seed) => {
    const { options, state, x, silent } = randomProblem(architecture, seed);
    const step = state.step;
    const weights = weightsOf(state);
    const frozen: Frozen = { weights, pre: preActivations(x, weights) };
    const objective = objectiveOf(options);
    const gradient = await gradientOf(state, x, { objective, options, kernels });
    expect(gradient.loss).toBeCloseTo(plainLoss(options, x, weights, { frozen, silent, step }), 4);

    const found = denseGradient(gradient);
    expect(Object.keys(found).sort()).toEqual(Object.keys(weights).sort());
    const h = 1e-6;
    for (const [name, values] of Object.entries(weights)) {
      let moved = 0;
      for (let at = 0; at < values.length; at++) {
        const lossAt = (value: number) => {
          const other = { ...weights, [name]: values.slice() };
          other[name][at] = value;
          return plainLoss(options, x, other, { frozen, silent, step });
        };
        const derivative = (lossAt(values[at] + h) - lossAt(values[at] - h)) / (2 * h);
        expect(Math.abs(found[name][at] - derivative), `${name}[${at}]`).toBeLessThan(2e-5);
        moved += Math.abs(derivative);
      }
      expect(moved, name).toBeGreaterThan(1e-3);
    }
  });
});
