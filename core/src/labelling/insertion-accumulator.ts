import type { SparseCode } from "../tensor/sparse-code.ts";
import { OpenDocument } from "./document-run.ts";
import { emptyInsertionSums, finishDocument, type InsertionSums } from "./insertion-sums.ts";

/** What one batch of tokens contributes; entries are those of `code`. */
export interface InsertionBatch {
  /** Where the donor's latents enter the host and how strongly, in the units of the input. */
  readonly code: SparseCode;
  /** ⟨direction, host residual⟩ per entry. */
  readonly projections: Float32Array;
  /** [rows] change of squared error from evicting the host's weakest latent; absent when latents do not compete. */
  readonly evictions?: Float64Array;
  /** [rows]; absent when every token is taken for a document of its own. */
  readonly documentIds?: Int32Array;
}

/** {@link InsertionSums} that grow batch by batch. */
export class InsertionAccumulator {
  readonly #sums: InsertionSums;
  readonly #normsSquared: Float64Array;
  readonly #document: OpenDocument;
  /** Whether #document holds a document, the last one met. */
  #open = false;

  /** Go on from `sums`; `normsSquared` [m] are the donor's squared direction norms. */
  constructor(normsSquared: Float64Array, sums: InsertionSums = emptyInsertionSums(normsSquared.length)) {
    this.#normsSquared = normsSquared;
    this.#document = new OpenDocument(normsSquared.length);
    this.#sums = structuredClone(sums);
    const last = sums.last ?? sums.first;
    if (last !== null) {
      this.#document.begin(last.documentId);
      this.#document.addRun(last);
      this.#open = true;
      if (sums.last === null) this.#sums.first = null;
      this.#sums.last = null;
    }
  }

  add({ code, projections, evictions, documentIds }: InsertionBatch): void {
    const { fired, activation, activationSquared, projected, evicted, documents } = this.#sums;
    const document = this.#document;
    for (let token = 0; token < code.rows; token++) {
      if (documentIds !== undefined) {
        this.#turnTo(documentIds[token]);
        document.tokens += 1;
      }
      const eviction = evictions === undefined ? 0 : evictions[token];
      for (let e = code.offsets[token]; e < code.offsets[token + 1]; e++) {
        const latent = code.indices[e];
        const f = code.values[e];
        const product = f * projections[e];
        const delta = eviction + f * f * this.#normsSquared[latent] - 2 * product;
        fired[latent] += 1;
        activation[latent] += f;
        activationSquared[latent] += f * f;
        projected[latent] += product;
        evicted[latent] += eviction;
        if (documentIds !== undefined) {
          document.add(latent, delta, f);
        } else {
          documents.deltaSquared[latent] += delta * delta;
          documents.deltaTokens[latent] += delta;
          documents.activationSquared[latent] += f * f;
          documents.activationTokens[latent] += f;
          documents.deltaActivation[latent] += delta * f;
        }
      }
    }
    this.#sums.tokens += code.rows;
    if (documentIds === undefined) {
      documents.count += code.rows;
      documents.tokensSquared += code.rows;
    }
  }

  /** The sums so far, as a value that later calls leave alone. */
  sums(): InsertionSums {
    const sums = structuredClone(this.#sums);
    if (!this.#open) return sums;
    const run = this.#document.toRun();
    sums[sums.first === null ? "first" : "last"] = run;
    return sums;
  }

  #turnTo(documentId: number): void {
    if (this.#open && this.#document.documentId === documentId) return;
    if (this.#open) {
      const run = this.#document.toRun();
      if (this.#sums.first === null) this.#sums.first = run;
      else finishDocument(this.#sums, run);
    }
    this.#document.begin(documentId);
    this.#open = true;
  }
}
