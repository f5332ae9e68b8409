/** A number that training depends on has become NaN or infinite. The message says at which step, and of which SAE. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError";
  /** The step that could not be taken, from 1. */
  readonly step: number;

  constructor(message: string, { step, ...options }: { readonly step: number } & ErrorOptions) {
    super(message, options);
    this.step = step;
  }
}
