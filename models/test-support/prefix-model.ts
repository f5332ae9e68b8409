import { type Matrix, matrix, row } from "@saestitch/core";
import type { Hook, Model } from "../src/model.ts";
import type { TokenBatch } from "../src/tokens/token-batch.ts";

/** What stands in place of a model where only the order of things matters: an activation is a plain function of the tokens so far. */
export interface PrefixModel extends Pick<Model, "activations" | "location" | "engine"> {
  readonly hook: Hook;
  /** Batches handed over, in order. */
  readonly batches: TokenBatch[];
  /** Batches that are run at this moment. */
  readonly running: number;
}

/** A {@link PrefixModel} of width `d`; `scale` multiplies what it gives. Padding is NaN. */
export function prefixModel({ d = 3, scale = 1 } = {}): PrefixModel {
  const batches: TokenBatch[] = [];
  let running = 0;
  let last = Promise.resolve();
  return {
    location: "a plain model",
    engine: "JavaScript",
    hook: { tensor: "/h", name: "blocks.0.hook_resid_post", shape: ["batch", "sequence", d], d },
    batches,
    get running() {
      return running;
    },
    async activations(_, batch) {
      batches.push(batch);
      running++;
      // One after the other, as an engine does.
      last = last.then(() => new Promise((done) => setTimeout(done, 0)));
      await last;
      running--;
      return activationsOf(batch, d, scale);
    },
  };
}

function activationsOf({ rows, length, tokenIds, lengths }: TokenBatch, d: number, scale: number): Matrix {
  const all = matrix(rows * length, d, new Float32Array(rows * length * d).fill(Number.NaN));
  for (let i = 0; i < rows; i++) {
    const tokens = tokenIds.subarray(i * length, i * length + lengths[i]);
    plainActivations(tokens, d).forEach((values, t) => {
      row(all, i * length + t).set(values.map((value) => value * scale));
    });
  }
  return all;
}

/** The activations [t][d] of one window. */
export function plainActivations(tokens: Iterable<number>, d: number): number[][] {
  let state = 0;
  return Array.from(tokens, (token) => {
    state = 0.5 * state + token;
    return Array.from({ length: d }, (_, k) => Math.fround(Math.sin((k + 1) * state) + k));
  });
}
