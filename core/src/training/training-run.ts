import type { ShufflePosition } from "./shuffled-batches.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { TrainingState } from "./training-state.ts";

/** How a family of SAEs reads its activations; the same for all of them. */
export interface TrainingData {
  /** Tokens in a batch. */
  readonly batchRows: number;
  /** Of the order of the tokens. */
  readonly seed: number;
  /** Rows shuffled among each other, held in memory. */
  readonly windowRows: number;
  /** Multiply activations so that their mean squared length is 1; folded into the SAEs at the end. */
  readonly scaleInput: boolean;
  /** Where decoder biases begin. */
  readonly center: "geometric-median" | "mean" | "zero";
  /** Leave rows that hold NaN or infinite values out, instead of refusing them. */
  readonly skipNonFinite: boolean;
}

/** Several SAEs trained in one pass over the data. Its bits are those that each has when trained alone. */
export interface TrainingRun {
  readonly data: TrainingData;
  /** What activations are multiplied by. */
  readonly inputScale: number;
  readonly trainees: readonly { readonly options: TrainingOptions; readonly state: TrainingState }[];
  /** Where the next batch begins. */
  position: ShufflePosition;
}

/** What one step of one SAE measured on its batch, before the step changed it. */
export interface StepReport {
  /** Steps done. */
  readonly step: number;
  /** Mean squared error per element, in the units of the activations; lower is better. */
  readonly mse: number;
  /** 1 − Σ‖x − x̂‖² / Σ‖x − mean of the batch‖²; higher is better. */
  readonly varianceExplained: number;
  /** Mean number of active latents per token. */
  readonly l0: number;
  /** Share of latents silent for longer than `deadAfterTokens`. */
  readonly deadShare: number;
  /** Learning rate of the step. */
  readonly rate: number;
  /** What is minimised: error of scaled input, penalty and auxiliary loss. */
  readonly loss: number;
  /** Weight of the sparsity penalty at this step, for architectures that have one. */
  readonly sparsityWeight?: number;
}
