import type { Matrix } from "@saestitch/core";
import type { TokenBatch } from "./tokens/token-batch.ts";

/** A place in a model where a vector of width d for each token can be read, and replaced. */
export interface Hook {
  /** Name of the value in the graph. */
  readonly tensor: string;
  /** TransformerLens' name, such as "blocks.8.hook_resid_pre"; absent where the structure gives the value none. */
  readonly name?: string;
  /** Numbers, and "batch", "sequence" or "batch·sequence" for axes that follow the input. */
  readonly shape: readonly (number | string)[];
  /** Width: the product of the axes after those of batch and sequence. */
  readonly d: number;
}

/** Loss of each prediction of a batch: entry (i, t) is about token t + 1 of row i; where there is none it holds anything. */
export interface PredictionLosses {
  /** [rows × length]: −log p(next token), in nats. */
  readonly crossEntropy: Float32Array;
  /** [rows × length]: KL(unchanged model ‖ this run) over the vocabulary, in nats; zeros for the unchanged model. */
  readonly divergence: Float32Array;
}

/** A batch that a model has run on up to a hook, and can run on from there. */
export interface SplicedBatch {
  /** What the model itself has at the hook: [rows · length × d], row-major by row and position; padding holds anything. */
  readonly activations: Matrix;
  /** Losses of the unchanged model. */
  readonly original: PredictionLosses;
  /** Run on with `replacement` [rows · length × d] at the hook. The matrix is not changed. */
  run(replacement: Matrix): Promise<PredictionLosses>;
  /** Free what the batch holds. */
  close(): Promise<void>;
}

/** A model cut at a hook. */
export interface Splice {
  readonly hook: Hook;
  begin(batch: TokenBatch): Promise<SplicedBatch>;
  close(): Promise<void>;
}

/** How a model's blocks normalise what they read from the residual stream: only "layer" subtracts the mean. */
export type ModelNormalization = "layer" | "rms" | "unknown";

/** CONTRACT. A language model whose hidden activations can be read and replaced. */
export interface Model {
  /** A path, or hf:owner/repo/path@commit. */
  readonly location: string;
  /** What runs it, for people: "ONNX Runtime 1.30.0, cpu". */
  readonly engine: string;
  /** Number of tokens it tells apart: the width of its logits; absent where the graph does not tell. */
  readonly vocabulary?: number;
  /** Blocks found by structure; 0 where the structure is not known. */
  readonly blocks: number;
  readonly normalization: ModelNormalization;
  /** What is to be known of the mapping of names: places not found, and why. */
  readonly notes: readonly string[];
  /** Known places, block by block; with `all`, then every other value that has a vector per token, in the order of the computation. */
  listHooks(options?: { readonly all?: boolean }): Promise<readonly Hook[]>;
  /**
   * The hook of a name: TransformerLens', Hugging Face's module ("model.layers.8", "transformer.h.8.mlp"), or the graph's own. Rejects with
   * UnsupportedError, with the nearest names, where there is none, and where the value has no vector per token.
   */
  findHook(name: string): Promise<Hook>;
  /**
   * Activations at a hook: [rows · length × d], row-major by row and position; padding holds anything. Only the part of the graph up to
   * the hook is run. Rejects with DataError, suggesting a smaller batch, when memory runs out.
   */
  activations(hook: Hook, batch: TokenBatch): Promise<Matrix>;
  /** Cut the model at a hook. Rejects with UnsupportedError, naming the edge, where the hook's value reaches the logits around the hook. */
  splice(hook: Hook): Promise<Splice>;
  close(): Promise<void>;
}
