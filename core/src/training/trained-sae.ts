import type { Activation, Sae } from "../sae/sae.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import { objectiveOf } from "./objectives/objective-of.ts";
import type { TrainingRun } from "./training-run.ts";

/**
 * SAE number `index` of a run as it is now, in memory of its own; its activation is that of inference, `batchtopk` with its threshold.
 *
 * With s the input scale it was trained on s · x. Dividing biases, thresholds and offsets by s gives the same SAE for x, exactly up to
 * rounding, with activations 1/s as large; matrices stay as they are. Throws UnsupportedError for a BatchTopK SAE without a step.
 */
export function trainedSae({ trainees, inputScale }: TrainingRun, index: number): Sae {
  const { options, state } = trainees[index];
  const { encoder, decoder, decoderBias } = state.parameters;
  const { activation, encoderBias } = objectiveOf(options).finish(state);
  const shrink = (values: Float32Array) => mapVector(values, (value) => value / inputScale);
  return {
    encoder: copyMatrix(encoder.weights),
    encoderBias: shrink(encoderBias),
    decoder: copyMatrix(decoder.weights),
    decoderBias: shrink(decoderBias.weights.values),
    inputBias: shrink(decoderBias.weights.values),
    activation: mapOffsets(activation, shrink),
    normalization: { kind: "none" },
    folds:
      inputScale === 1
        ? []
        : [
            {
              kind: "input-scale",
              description: `biases, thresholds and offsets divided by ${inputScale}, which activations were multiplied by in training`,
            },
          ],
    origin: { dialect: "none", architecture: options.architecture.kind },
  };
}

/** What of an activation is in units of the pre-activation, mapped. */
function mapOffsets(activation: Activation, map: (values: Float32Array) => Float32Array): Activation {
  switch (activation.kind) {
    case "relu":
    case "topk":
      return activation;
    case "batchtopk":
      return { kind: "batchtopk", threshold: map(Float32Array.of(activation.threshold))[0] };
    case "jumprelu":
      return { kind: "jumprelu", threshold: map(activation.threshold) };
    case "gated":
      return {
        kind: "gated",
        magnitudeScale: mapVector(activation.magnitudeScale, (value) => value),
        magnitudeOffset: map(activation.magnitudeOffset),
      };
    default:
      return activation satisfies never;
  }
}

function copyMatrix(m: Matrix): Matrix {
  const copy = zeros(m.rows, m.columns);
  copy.values.set(m.values);
  return copy;
}

function mapVector(from: Float32Array, map: (value: number) => number): Float32Array {
  const to = allocateFloat32(from.length);
  for (let j = 0; j < from.length; j++) to[j] = map(from[j]);
  return to;
}
