import { UnsupportedError } from "@saestitch/core";
import type { Tokenizer } from "./tokenizer.ts";

/** Share of a model's vocabulary that a tokenizer of its own fills; models are padded by some hundred ids that stand for nothing. */
const usualShare = 0.9;

/**
 * Check that a tokenizer can be the model's. Throws {@link UnsupportedError} when it has tokens beyond the model's vocabulary. Special tokens
 * there are let pass, which no ordinary text holds; of them, of a model with many more tokens, and of one that does not tell how many, the
 * returned text warns.
 */
export function checkVocabulary(
  { location, vocabulary, special }: Pick<Tokenizer, "location" | "vocabulary" | "special">,
  model: { readonly location: string; readonly vocabulary?: number },
): string | undefined {
  if (model.vocabulary === undefined)
    return `${model.location} does not tell how many tokens it knows: whether ${location} is its tokenizer was not checked.`;
  const sizes = `${location} has ${vocabulary} tokens, ${model.location} tells ${model.vocabulary} apart`;
  let ordinary = vocabulary;
  while (ordinary > model.vocabulary && special.has(ordinary - 1)) ordinary--;
  if (ordinary > model.vocabulary)
    throw new UnsupportedError(
      `Cannot use this tokenizer with this model: ${sizes}. This tokenizer is of another model`,
    );
  if (vocabulary > model.vocabulary)
    return `${sizes}: the model cannot read text that names the special tokens from ${model.vocabulary} on.`;
  if (vocabulary < usualShare * model.vocabulary) return `${sizes}: this tokenizer may be of another model.`;
  return undefined;
}
