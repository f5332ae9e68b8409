import type { AdamMoments } from "../kernels/kernels.ts";
import type { Matrix } from "../tensor/matrix.ts";

/** Numbers that Adam moves, with its running means. A vector is a matrix of one row. */
export interface Parameter {
  readonly weights: Matrix;
  readonly moments: AdamMoments;
}

/**
 * An SAE on its way: with u = x − decoderBias, pre-activations u · encoderᵀ + encoderBias, reconstruction code · decoder + decoderBias.
 * x is the scaled input. `step` changes it in place.
 */
export interface TrainingState {
  /** By name: `encoder` [m × d], `encoderBias` [1 × m], `decoder` [m × d] (rows of length 1), `decoderBias` [1 × d], and those of the objective [1 × m]. */
  readonly parameters: Readonly<Record<string, Parameter>> & {
    readonly encoder: Parameter;
    readonly encoderBias: Parameter;
    readonly decoder: Parameter;
    readonly decoderBias: Parameter;
  };
  /** [m]: tokens since the latent was last active. */
  readonly silentTokens: Float64Array;
  /** Numbers that change from step to step, by name; all finite. */
  readonly scalars: { [name: string]: number };
  /** Steps done. */
  step: number;
}
