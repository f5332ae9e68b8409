import type { TokenExample } from "./token-example.ts";

/** The strongest of some examples, the strongest first; of equal ones the earlier. */
export class StrongestExamples {
  readonly #most: number;
  readonly #examples: TokenExample[] = [];

  /** Keep `most` of them. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether an example that comes later than all so far, and is so strong, would be kept. */
  wants(activation: number): boolean {
    return this.#examples.length < this.#most || activation > this.#examples[this.#most - 1].activation;
  }

  add(example: TokenExample): void {
    if (!this.wants(example.activation)) return;
    let at = this.#examples.length;
    while (at > 0 && this.#examples[at - 1].activation < example.activation) at--;
    this.#examples.splice(at, 0, example);
    this.#examples.length = Math.min(this.#examples.length, this.#most);
  }

  list(): readonly TokenExample[] {
    return this.#examples;
  }
}
