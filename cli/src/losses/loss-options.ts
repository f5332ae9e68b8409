import { flag, wholeNumber } from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";

/** Options of a command that measures what a model loses. */
export const lossOptions = {
  "loss-tokens": wholeNumber(
    "N",
    2,
    undefined,
    "With --model: measure losses on the first N tokens of the sample (default all); each variant runs the rest of the model on them once more",
  ),
  "no-loss": flag("With --model: measure no losses"),
} as const;

/**
 * Throw {@link UsageError} when one of the options `names` is given to a command that is to measure no losses, because it has no model or
 * because it was told so.
 */
export function checkLossOptions<Name extends string>(
  options: { readonly text: string | undefined; readonly "no-loss": boolean } & {
    readonly [Of in Name]: unknown;
  },
  names: readonly Name[],
): void {
  for (const name of names) {
    if (options[name] === undefined) continue;
    if (options["no-loss"]) throw new UsageError(`--${name} and --no-loss exclude each other`);
    if (options.text === undefined)
      throw new UsageError(`--${name} needs a model: --model MODEL with --text TEXT`);
  }
}
