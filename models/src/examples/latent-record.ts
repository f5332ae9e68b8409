import { type QuantileExample, SpreadExamples } from "./spread-examples.ts";
import { StrongestExamples } from "./strongest-examples.ts";
import type { TokenExample } from "./token-example.ts";

/** How a latent fires on one token of the vocabulary. */
export interface TokenFirings {
  readonly token: number;
  /** Times the latent fires on it. */
  readonly fires: number;
  /** Times it is in the sample. */
  readonly occurrences: number;
  /** Mean activation when it fires. */
  readonly mean: number;
}

/** Where and how a latent fires on a sample. */
export interface LatentExamples {
  /** Tokens on which it fires. */
  readonly fires: number;
  /** Mean activation on these; NaN where there is none. */
  readonly mean: number;
  /** Largest activation; 0 where it never fires. */
  readonly max: number;
  /** Where it fires most strongly, strongest first: one place of each document, then others where there are too few documents. */
  readonly strongest: readonly TokenExample[];
  /** Places at quantiles of its activation when it fires, highest first. */
  readonly quantiles: readonly QuantileExample[];
  /** Tokens on which it fires most often. */
  readonly frequentTokens: readonly TokenFirings[];
  /** Tokens on which its mean activation is highest when it fires. */
  readonly strongTokens: readonly TokenFirings[];
}

/** How much is kept of a latent. */
export interface ExampleCounts {
  /** Places where it fires most strongly. */
  readonly top: number;
  /** Further places at quantiles of its activation. */
  readonly quantiles: number;
  /** Tokens on which it fires most often, and most strongly. */
  readonly tokens: number;
}

/** What is kept of one latent while rows go by. */
export class LatentRecord {
  readonly #counts: ExampleCounts;
  /** Of every document its strongest place, and of all places the strongest, in case there are too few documents. */
  readonly #ofDocuments: StrongestExamples;
  readonly #ofAll: StrongestExamples;
  readonly #spread = new SpreadExamples();
  readonly #tokens = new Map<number, { fires: number; sum: number }>();
  #inDocument: TokenExample | undefined;
  #fires = 0;
  #sum = 0;
  #max = 0;

  constructor(counts: ExampleCounts) {
    this.#counts = counts;
    this.#ofDocuments = new StrongestExamples(counts.top);
    this.#ofAll = new StrongestExamples(counts.top);
  }

  /** Take note that the latent fires on a token; `makeExample` is called where the place is kept. */
  add(token: number, activation: number, makeExample: () => TokenExample): void {
    const ofToken = this.#tokens.get(token);
    if (ofToken === undefined) this.#tokens.set(token, { fires: 1, sum: activation });
    else {
      ofToken.fires += 1;
      ofToken.sum += activation;
    }
    const isSpread = this.#counts.quantiles > 0 && this.#spread.wants(this.#fires);
    const isBest = activation > (this.#inDocument?.activation ?? 0) && this.#ofDocuments.wants(activation);
    if (isSpread || isBest || this.#ofAll.wants(activation)) {
      const example = makeExample();
      if (isSpread) this.#spread.add(example);
      if (isBest) this.#inDocument = example;
      this.#ofAll.add(example);
    }
    this.#fires += 1;
    this.#sum += activation;
    if (activation > this.#max) this.#max = activation;
  }

  /** The document ends. */
  endDocument(): void {
    if (this.#inDocument !== undefined) this.#ofDocuments.add(this.#inDocument);
    this.#inDocument = undefined;
  }

  /** What was found; `occurrences` of each token in the sample. */
  finish(occurrences: ReadonlyMap<number, number>): LatentExamples {
    this.endDocument();
    const { top, quantiles, tokens } = this.#counts;
    const chosen = [...this.#ofDocuments.list()];
    const rows = new Set(chosen.map(({ row }) => row));
    for (const example of this.#ofAll.list()) {
      if (chosen.length === top) break;
      if (!rows.has(example.row)) chosen.push(example);
      rows.add(example.row);
    }
    const firings = Array.from(this.#tokens, ([token, { fires, sum }]) => ({
      token,
      fires,
      occurrences: occurrences.get(token) ?? 0,
      mean: sum / fires,
    }));
    return {
      fires: this.#fires,
      mean: this.#sum / this.#fires,
      max: this.#max,
      strongest: chosen.sort((a, b) => b.activation - a.activation || a.row - b.row),
      quantiles: this.#spread.quantiles(quantiles, rows),
      frequentTokens: firings
        .toSorted((a, b) => b.fires - a.fires || b.mean - a.mean || a.token - b.token)
        .slice(0, tokens),
      strongTokens: firings
        .toSorted((a, b) => b.mean - a.mean || b.fires - a.fires || a.token - b.token)
        .slice(0, tokens),
    };
  }
}
