import type { Matrix } from "../tensor/matrix.ts";

/**
 * How pre-activations become activations. Every kind is per latent but `topk`, where latents compete.
 *
 * Keeping the k largest and then applying ReLU gives the same code as ReLU first and the k largest after, so `topk`
 * stands for both orders.
 */
export type Activation =
  | { readonly kind: "relu" }
  | {
      readonly kind: "jumprelu";
      /** [m]; active when the pre-activation is strictly greater. */
      readonly threshold: Float32Array;
    }
  | { readonly kind: "topk"; readonly k: number }
  | {
      /** BatchTopK at inference: one threshold for all latents. */
      readonly kind: "batchtopk";
      readonly threshold: number;
    }
  | {
      /**
       * Gate and magnitude share the encoder: with z = x · encoderᵀ + encoderBias, latent j is active when z_j > 0, at
       * ReLU(z_j · magnitudeScale_j + magnitudeOffset_j).
       */
      readonly kind: "gated";
      /** [m], positive. */
      readonly magnitudeScale: Float32Array;
      /** [m] */
      readonly magnitudeOffset: Float32Array;
    };

/**
 * What is done to an activation before the SAE reads it, and undone after it wrote.
 *
 * - `layer-norm`: subtract the mean over d, divide by (std + 1e-5), std with d − 1; undone by `· std + mean`.
 * - `unit-mean-square`: multiply by √d / ‖x‖ per token; undone by dividing (SAELens: `constant_norm_rescale`).
 * - `expected-average`: multiply every activation by one number; undone by dividing. `factor` is null when the file does
 *   not hold it; such an SAE cannot be used until {@link foldInputScale} is given one.
 */
export type Normalization =
  | { readonly kind: "none" }
  | { readonly kind: "layer-norm" }
  | { readonly kind: "unit-mean-square" }
  | { readonly kind: "expected-average"; readonly factor: number | null };

/** A change made to the file's tensors while mapping them onto the canonical form, so that a number can be traced back. */
export interface Fold {
  readonly kind: "input-bias" | "decoder-norm" | "input-scale" | "output-scale" | "threshold-form" | "merge";
  /** One line for people: what was multiplied by what. */
  readonly description: string;
}

/** Where an SAE came from and what its publisher says of it. Everything is optional but the dialect. */
export interface SaeOrigin {
  /** "saelens", "gemma-scope", …; "none" for an SAE made in memory. */
  readonly dialect: string;
  /** Architecture in the words of the file. */
  readonly architecture?: string;
  /** What was opened: a path, or hf:owner/repo/path@commit. */
  readonly location?: string;
  readonly modelName?: string;
  /** The named place in the model whose activations the SAE reads. */
  readonly hook?: string;
  readonly prependBos?: boolean;
  readonly contextSize?: number;
  /** Whether everything that the model writes to the residual stream had its mean over d taken off when the SAE was trained. */
  readonly centredWrites?: boolean;
  /** Tokens whose activations were left out of training: the special ones (true), those with these ids, or none (false). */
  readonly excludeSpecialTokens?: boolean | readonly number[];
  /** Positions of a context that it was trained on, as Python's slice(start, stop, step). Absent when it was all of them. */
  readonly seqposSlice?: readonly (number | null)[];
  /** The attention head that it reads alone, of a hook that has several. */
  readonly headIndex?: number;
  /** The text it was trained on, by its publisher's name. */
  readonly datasetPath?: string;
  /** Mean number of active latents per token, as stated by file or publisher. */
  readonly statedL0?: number;
  /** Where {@link statedL0} was read. */
  readonly statedL0Source?: string;
  /** Files read, with sha256 of their bytes where known. */
  readonly files?: readonly { readonly name: string; readonly sha256?: string }[];
  /** Things a user should know: options ignored, factors missing. */
  readonly warnings?: readonly string[];
}

/**
 * CONTRACT. Every sparse autoencoder, whatever file it came from.
 *
 *     u = normalise(x) − inputBias
 *     f = activation(u · encoderᵀ + encoderBias)
 *     x̂ = unnormalise(f · decoder + decoderBias)
 *
 * d is the width of the activation, m the number of latents; both matrices hold one row per latent.
 */
export interface Sae {
  /** [m × d] */
  readonly encoder: Matrix;
  /** [m] */
  readonly encoderBias: Float32Array;
  /** [m × d]; row j is latent j's direction. */
  readonly decoder: Matrix;
  /** [d] */
  readonly decoderBias: Float32Array;
  /** [d], subtracted before encoding; zero when nothing is. */
  readonly inputBias: Float32Array;
  readonly activation: Activation;
  readonly normalization: Normalization;
  /** In the order they were made. */
  readonly folds: readonly Fold[];
  readonly origin: SaeOrigin;
}
