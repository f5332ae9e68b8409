/**
 * What consecutive tokens of one document add up to, for the latents that fired in them.
 *
 * Tokens of a document are correlated, so a standard error needs sums within documents before anything is squared.
 */
export interface DocumentRun {
  readonly documentId: number;
  readonly tokens: number;
  /** Latents that fired, ascending. */
  readonly latents: Int32Array;
  /** Change of the squared error, per latent of `latents`. */
  readonly deltaSse: Float64Array;
  /** Summed activation, per latent of `latents`. */
  readonly activation: Float64Array;
}

/** The document being read: dense sums over m latents, of which only the touched ones are ever visited again. */
export class OpenDocument {
  #documentId = 0;
  tokens = 0;
  readonly #deltaSse: Float64Array;
  readonly #activation: Float64Array;
  readonly #fired: Uint8Array;
  readonly #touched: Int32Array;
  #touchedCount = 0;

  constructor(latents: number) {
    this.#deltaSse = new Float64Array(latents);
    this.#activation = new Float64Array(latents);
    this.#fired = new Uint8Array(latents);
    this.#touched = new Int32Array(latents);
  }

  get documentId(): number {
    return this.#documentId;
  }

  /** Forget everything and start on a document. */
  begin(documentId: number): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const latent = this.#touched[i];
      this.#deltaSse[latent] = 0;
      this.#activation[latent] = 0;
      this.#fired[latent] = 0;
    }
    this.#touchedCount = 0;
    this.tokens = 0;
    this.#documentId = documentId;
  }

  add(latent: number, deltaSse: number, activation: number): void {
    if (this.#fired[latent] === 0) {
      this.#fired[latent] = 1;
      this.#touched[this.#touchedCount++] = latent;
    }
    this.#deltaSse[latent] += deltaSse;
    this.#activation[latent] += activation;
  }

  addRun(run: DocumentRun): void {
    this.tokens += run.tokens;
    for (let i = 0; i < run.latents.length; i++) this.add(run.latents[i], run.deltaSse[i], run.activation[i]);
  }

  toRun(): DocumentRun {
    const latents = this.#touched.slice(0, this.#touchedCount).sort();
    const deltaSse = new Float64Array(latents.length);
    const activation = new Float64Array(latents.length);
    for (let i = 0; i < latents.length; i++) {
      deltaSse[i] = this.#deltaSse[latents[i]];
      activation[i] = this.#activation[latents[i]];
    }
    return { documentId: this.#documentId, tokens: this.tokens, latents, deltaSse, activation };
  }
}
