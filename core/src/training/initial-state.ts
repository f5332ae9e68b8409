import { randomDirection, seededRandom } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { objectiveOf } from "./objectives/objective-of.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { Parameter, TrainingState } from "./training-state.ts";

/**
 * An SAE before its first step: directions drawn uniformly from the unit sphere, the encoder equal to the decoder (Gao et al.,
 * arXiv 2406.04093: tied at first) or a multiple of it, encoder biases 0, the decoder bias at `center` [d] in units of the scaled input.
 */
export function initialState(options: TrainingOptions, center: ArrayLike<number>): TrainingState {
  const state = blankState(options, center.length);
  const { encoder, decoder, decoderBias } = state.parameters;
  const random = seededRandom(options.seed);
  for (let j = 0; j < options.latents; j++) randomDirection(random, row(decoder.weights, j));
  const scale = firstEncoderScale(options, center.length);
  encoder.weights.values.set(decoder.weights.values.map((value) => scale * value));
  decoderBias.weights.values.set(center);
  for (const [name, first] of Object.entries(objectiveOf(options).parameters))
    state.parameters[name].weights.values.fill(first);
  return state;
}

/**
 * Where all latents with a positive pre-activation fire, about half of the m do, and with rows of length 1 their sum would overshoot
 * the input by m / 2d. A fixed number of active latents has no such sum.
 */
function firstEncoderScale({ architecture, latents }: TrainingOptions, d: number): number {
  return "k" in architecture ? 1 : Math.min(1, (2 * d) / latents);
}

/** A state whose parameters, for activations of width `d`, are all zero. */
export function blankState(options: TrainingOptions, d: number): TrainingState {
  const m = options.latents;
  const objective = objectiveOf(options);
  return {
    parameters: {
      encoder: parameter(zeros(m, d)),
      encoderBias: parameter(zeros(1, m)),
      decoder: parameter(zeros(m, d)),
      decoderBias: parameter(zeros(1, d)),
      ...Object.fromEntries(Object.keys(objective.parameters).map((name) => [name, parameter(zeros(1, m))])),
    },
    silentTokens: new Float64Array(m),
    scalars: { ...objective.scalars },
    step: 0,
  };
}

function parameter(weights: Matrix): Parameter {
  const { rows, columns } = weights;
  return { weights, moments: { first: zeros(rows, columns), second: zeros(rows, columns) } };
}
