import type { Kernels } from "../../kernels/kernels.ts";
import type { Activation } from "../../sae/sae.ts";
import type { Matrix } from "../../tensor/matrix.ts";
import type { SparseCode } from "../../tensor/sparse-code.ts";
import type { TrainingState } from "../training-state.ts";

/** What a batch made active. */
export interface Firing {
  /** [b × m]. Activations may be zero here: such entries are not active, but a small change of a parameter would make them so. */
  readonly code: SparseCode;
  /** Pre-activation of each entry. */
  readonly preActivations: Float32Array;
}

/** Derivatives of the loss of a batch, by what they are taken of. Sums over the tokens of a batch, divided by their number. */
export interface Slopes {
  /** By the product u · encoderᵀ of each entry of the code. */
  readonly entries: Float32Array;
  /** [m], by the encoder bias. */
  readonly encoderBias: Float64Array;
  /** By the objective's own parameters, [m] each. */
  readonly own: Readonly<Record<string, Float64Array>>;
}

/**
 * CONTRACT. What an architecture adds to "reconstruct the input": its activation, its penalty, and their gradients.
 *
 * The loss of a batch is the mean over tokens of ‖x − x̂‖², plus the penalty; the auxiliary loss is not the objective's.
 */
export interface Objective {
  /** The objective's own parameters, [m] each, with their first value. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Its numbers in `TrainingState.scalars`, with their first value. */
  readonly scalars: Readonly<Record<string, number>>;
  /** Number of latents in each prefix that reconstructs alone, ascending, the last being all; the loss is the mean over prefixes. */
  readonly prefixes: readonly number[];

  /** Codes of `centred` = x − decoderBias [b × d]. */
  fire(state: TrainingState, centred: Matrix, kernels: Kernels): Promise<Firing>;

  /**
   * From the slope of the reconstruction error by each entry's activation to those by the parameters, the penalty's share included.
   * May change `state.scalars`.
   */
  slopes(
    state: TrainingState,
    firing: Firing,
    byActivation: Float32Array,
    batch: { readonly centred: Matrix; readonly kernels: Kernels },
  ): Promise<{ readonly slopes: Slopes; readonly penalty: number }>;

  /** Activation and encoder bias of the trained SAE. */
  finish(state: TrainingState): { readonly activation: Activation; readonly encoderBias: Float32Array };
}
