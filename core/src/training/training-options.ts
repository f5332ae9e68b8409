import type { Architecture } from "./architecture.ts";

/** All that decides how one SAE is trained, but for the data. Same options, same data: same bits. */
export interface TrainingOptions {
  readonly architecture: Architecture;
  /** m */
  readonly latents: number;
  /** Of the initial directions. */
  readonly seed: number;
  /** Learning rate of Adam between warm-up and decay. */
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly steps: number;
  /** Steps over which the rate rises linearly from zero. */
  readonly warmUpSteps: number;
  /** Steps at the end over which it falls linearly to zero. */
  readonly decaySteps: number;
  /** Names of parameters (see `TrainingState`) that keep their first values. */
  readonly frozen?: readonly string[];
  /** Latents silent for this many tokens are dead. */
  readonly deadAfterTokens: number;
  /** The loss that revives dead latents of the kinds that have a k; absent for the others. */
  readonly auxiliary?: {
    /** Its weight beside the reconstruction error. */
    readonly weight: number;
    /** How many dead latents a token's residual is reconstructed from at most. */
    readonly count: number;
  };
}
