import { type Matrix, matrix, normal, type Random, row } from "@saestitch/core";
import type { Hook, Model, PredictionLosses } from "../src/model.ts";
import type { TokenBatch } from "../src/tokens/token-batch.ts";

/** A language model that can be worked out by hand, in float64: the logits of token t are (h_t + mixing · h_{t−1}) · unembedding. */
export interface LinearWeights {
  /** [vocabulary][d]: the activation h of a token. */
  readonly embedding: readonly (readonly number[])[];
  /** [d][vocabulary] */
  readonly unembedding: readonly (readonly number[])[];
  readonly mixing: number;
}

/** Random weights. */
export function linearWeights(random: Random, { vocabulary = 7, d = 4, mixing = 0.5 } = {}): LinearWeights {
  const draw = (rows: number, columns: number) =>
    Array.from({ length: rows }, () => Array.from({ length: columns }, () => Math.fround(normal(random))));
  return { embedding: draw(vocabulary, d), unembedding: draw(d, vocabulary), mixing };
}

/** Logarithms of the probabilities [t][vocabulary] that follow from the activations [t][d] of one window. */
export function logProbabilities(
  { unembedding, mixing }: LinearWeights,
  activations: readonly (readonly number[])[],
): number[][] {
  return activations.map((h, t) => {
    const mixed = h.map((value, c) => value + (t === 0 ? 0 : mixing * activations[t - 1][c]));
    const logits = unembedding[0].map((_, token) =>
      mixed.reduce((sum, value, c) => sum + value * unembedding[c][token], 0),
    );
    const largest = Math.max(...logits);
    const log = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
    return logits.map((logit) => logit - log);
  });
}

/** What a {@link linearModel} was asked to do. */
export interface LinearRecord {
  /** Batches begun, with the replacements run on each. */
  readonly batches: { readonly batch: TokenBatch; readonly replacements: Matrix[] }[];
  /** Splices and batches not closed yet. */
  open: number;
}

/** {@link LinearWeights} as a {@link Model} with one hook. What no one may look at, padding and losses of no prediction, is NaN. */
export function linearModel(
  weights: LinearWeights,
): Model & { readonly hook: Hook; readonly record: LinearRecord } {
  const d = weights.embedding[0].length;
  const hook: Hook = {
    tensor: "/h",
    name: "blocks.0.hook_resid_post",
    shape: ["batch", "sequence", d],
    d,
  };
  const record: LinearRecord = { batches: [], open: 0 };
  const close = async () => {
    record.open--;
  };
  const activationsOf = ({ rows, length, tokenIds, lengths }: TokenBatch) => {
    const activations = matrix(rows * length, d, new Float32Array(rows * length * d).fill(Number.NaN));
    for (let i = 0; i < rows; i++)
      for (let t = 0; t < lengths[i]; t++)
        row(activations, i * length + t).set(weights.embedding[tokenIds[i * length + t]]);
    return activations;
  };
  return {
    hook,
    record,
    location: "a linear model",
    engine: "JavaScript",
    vocabulary: weights.embedding.length,
    blocks: 1,
    normalization: "unknown",
    notes: [],
    listHooks: async () => [hook],
    findHook: async () => hook,
    activations: async (_, batch) => activationsOf(batch),
    splice: async () => {
      record.open++;
      return {
        hook,
        close,
        begin: async (batch) => {
          record.open++;
          const activations = activationsOf(batch);
          const replacements: Matrix[] = [];
          record.batches.push({ batch, replacements });
          return {
            activations,
            original: lossesOf(weights, batch, activations, activations),
            run: async (replacement) => {
              replacements.push({ ...replacement, values: replacement.values.slice() });
              return lossesOf(weights, batch, activations, replacement);
            },
            close,
          };
        },
      };
    },
    close: async () => {},
  };
}

function lossesOf(
  weights: LinearWeights,
  { rows, length, tokenIds, lengths }: TokenBatch,
  original: Matrix,
  replacement: Matrix,
): PredictionLosses {
  const crossEntropy = new Float32Array(rows * length).fill(Number.NaN);
  const divergence = new Float32Array(rows * length).fill(Number.NaN);
  for (let i = 0; i < rows; i++) {
    const [before, after] = [original, replacement].map((m) =>
      logProbabilities(
        weights,
        Array.from({ length: lengths[i] }, (_, t) => [...row(m, i * length + t)]),
      ),
    );
    for (let t = 0; t + 1 < lengths[i]; t++) {
      const at = i * length + t;
      crossEntropy[at] = -after[t][tokenIds[at + 1]];
      divergence[at] = before[t].reduce(
        (sum, log, token) => sum + Math.exp(log) * (log - after[t][token]),
        0,
      );
    }
  }
  return { crossEntropy, divergence };
}
