import type { ModelNormalization } from "../model.ts";

/** The places of a transformer that were found in a graph. */
export interface Transformer {
  readonly blocks: number;
  readonly normalization: ModelNormalization;
  /**
   * TransformerLens' name of a place to the name of its value, block by block, in the order of the computation. Several names may be of one
   * value: the stream after a block is the stream before the next.
   */
  readonly places: ReadonlyMap<string, string>;
  /**
   * Further names, of values that are places of some models only: `blocks.L.attn.hook_out` and `blocks.L.mlp.hook_out`, what these return, where it is
   * normalised before it is added, and so differs from `hook_attn_out` and `hook_mlp_out`, what is added; `hook_embed` where the first residual
   * stream is a row of a table, perhaps multiplied by a factor; and then `embed.hook_out`, the row itself.
   */
  readonly further: ReadonlyMap<string, string>;
  /** Value of the first residual stream: what `blocks.0.hook_resid_pre` reads. */
  readonly embedding: string;
  /** What is to be known: places not found, and why. */
  readonly notes: readonly string[];
}
