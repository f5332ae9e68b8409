import { ShapeError } from "@saestitch/core";
import type { PredictionLosses } from "../model.ts";
import type { CountedPredictions } from "./counted-predictions.ts";

/** What takes the place of every activation of an ablation: zeros, or one mean. */
export type Ablation = "zero" | "mean";

/** Which variant of a model's activations a loss is of. */
export interface VariantName {
  readonly name: string;
  /** Present for the two variants that losses are compared with. */
  readonly ablation?: Ablation;
}

/**
 * Losses of the unchanged model and of variants of it, summed within documents. Plain data: the sums of two parts of a text add up to
 * the sums of both, in any order, a document cut between them included.
 *
 * The columns, one entry per document in which a prediction counts, take 8 · (2 · variants + 2) + 4 bytes each; tokens of one document
 * are correlated, so that standard errors need sums within documents before anything is squared.
 */
export interface LossSums {
  /** Tokens read, padding not counted. */
  readonly tokens: number;
  /** Of these, tokens that kept the model's own activation under every variant: BOS and its kin. */
  readonly excluded: number;
  readonly variants: readonly VariantName[];
  /** [documents], ascending. */
  readonly documentIds: Int32Array;
  /** [documents]: predictions that count, see `countedPredictions`. */
  readonly predictions: Float64Array;
  /** [documents]: Σ −log p(next token) of the unchanged model, in nats. */
  readonly original: Float64Array;
  /** [variants][documents]: the same of each variant. */
  readonly crossEntropy: readonly Float64Array[];
  /** [variants][documents]: Σ KL(unchanged model ‖ variant), in nats. */
  readonly divergence: readonly Float64Array[];
}

/** The sums of no tokens. */
export function emptyLossSums(variants: readonly VariantName[]): LossSums {
  return new LossAccumulator(variants).sums();
}

/** The sums of both; the arguments stay as they are. Throws {@link ShapeError} when they are not of the same variants. */
export function mergeLossSums(a: LossSums, b: LossSums): LossSums {
  const [namesOfA, namesOfB] = [a, b].map(({ variants }) =>
    variants.map(({ name, ablation = "" }) => `${name} ${ablation}`.trim()).join(", "),
  );
  if (namesOfA !== namesOfB)
    throw new ShapeError(`Cannot merge losses of ${namesOfA} with losses of ${namesOfB}`);
  const merged = new LossAccumulator(a.variants);
  merged.addSums(a);
  merged.addSums(b);
  return merged.sums();
}

/** Adds losses up by document. */
export class LossAccumulator {
  tokens = 0;
  excluded = 0;
  readonly #variants: readonly VariantName[];
  /** By document: predictions, loss of the unchanged model, then loss and divergence of each variant. */
  readonly #documents = new Map<number, Float64Array>();

  constructor(variants: readonly VariantName[]) {
    this.#variants = variants.map(({ name, ablation }) => ({ name, ...(ablation && { ablation }) }));
  }

  /** Add the losses of the unchanged model; once for a batch, since this counts its predictions. */
  addOriginal({ entries, documentIds }: CountedPredictions, { crossEntropy }: PredictionLosses): void {
    for (let p = 0; p < entries.length; p++) {
      const sums = this.#document(documentIds[p]);
      sums[0]++;
      sums[1] += crossEntropy[entries[p]];
    }
  }

  /** Add the losses of variant `v`. */
  addVariant(
    v: number,
    { entries, documentIds }: CountedPredictions,
    { crossEntropy, divergence }: PredictionLosses,
  ): void {
    for (let p = 0; p < entries.length; p++) {
      const sums = this.#document(documentIds[p]);
      sums[2 + 2 * v] += crossEntropy[entries[p]];
      sums[3 + 2 * v] += divergence[entries[p]];
    }
  }

  /** Add sums of the same variants. */
  addSums(added: LossSums): void {
    this.tokens += added.tokens;
    this.excluded += added.excluded;
    added.documentIds.forEach((documentId, i) => {
      const sums = this.#document(documentId);
      sums[0] += added.predictions[i];
      sums[1] += added.original[i];
      for (let v = 0; v < this.#variants.length; v++) {
        sums[2 + 2 * v] += added.crossEntropy[v][i];
        sums[3 + 2 * v] += added.divergence[v][i];
      }
    });
  }

  /** A copy of the sums so far. */
  sums(): LossSums {
    const documentIds = Int32Array.from(this.#documents.keys()).sort();
    const column = (slot: number) =>
      Float64Array.from(documentIds, (documentId) => this.#document(documentId)[slot]);
    return {
      tokens: this.tokens,
      excluded: this.excluded,
      variants: this.#variants,
      documentIds,
      predictions: column(0),
      original: column(1),
      crossEntropy: this.#variants.map((_, v) => column(2 + 2 * v)),
      divergence: this.#variants.map((_, v) => column(3 + 2 * v)),
    };
  }

  #document(documentId: number): Float64Array {
    let sums = this.#documents.get(documentId);
    if (sums === undefined) {
      sums = new Float64Array(2 + 2 * this.#variants.length);
      this.#documents.set(documentId, sums);
    }
    return sums;
  }
}
