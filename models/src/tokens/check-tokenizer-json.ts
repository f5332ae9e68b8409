import { describeValue, FormatError } from "@saestitch/core";

/** What a tokenizer.json holds, as far as it is checked. */
export type TokenizerJson = Readonly<Record<string, unknown>>;

/** Ids are positions of an array: a file must not make that as long as it likes. */
const mostIds = 2 ** 24;
const kinds: readonly unknown[] = ["BPE", "WordPiece", "Unigram", "WordLevel", undefined];
const parts = ["normalizer", "pre_tokenizer", "post_processor", "decoder"] as const;

/**
 * Check that a tokenizer.json has the shape that reading it relies on: vocabulary, merges and added tokens. Throws
 * {@link FormatError} naming file, key and value.
 */
export function checkTokenizerJson(json: TokenizerJson, location: string): void {
  const wrong = (what: string, value: unknown, wanted: string) =>
    new FormatError(`${location} has ${describeValue(value)} as its ${what}, expected ${wanted}`);
  const { model, added_tokens: added } = json;
  if (!isObject(model)) throw wrong('"model"', model, "an object");
  if (!kinds.includes(model.type))
    throw wrong('"model.type"', model.type, "BPE, Unigram, WordPiece or WordLevel");
  for (const part of parts) {
    const value = json[part];
    if (value !== null && !isObject(value)) throw wrong(`"${part}"`, value, "an object or null");
  }
  checkIds(model, wrong);
  const { merges } = model;
  if (model.type === "BPE" && !isListOf(merges, isMerge))
    throw wrong('"model.merges"', merges, "a list of pairs of tokens");
  if (!isListOf(added, isAddedToken))
    throw wrong('"added_tokens"', added, "a list of tokens, each with id and content");
}

type Wrong = (what: string, value: unknown, wanted: string) => FormatError;

function checkIds({ type, vocab }: TokenizerJson, wrong: Wrong): void {
  if (type === "Unigram") {
    if (!isListOf(vocab, isScoredToken) || vocab.length > mostIds)
      throw wrong('"model.vocab"', vocab, "a list of tokens, each with its score");
    return;
  }
  if (!isObject(vocab)) throw wrong('"model.vocab"', vocab, "an object of token ids");
  for (const [token, id] of Object.entries(vocab))
    if (!isTokenId(id))
      throw wrong(`id of the token ${describeValue(token)}`, id, `an integer below ${mostIds}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, isMember: (member: unknown) => boolean): value is readonly unknown[] {
  return Array.isArray(value) && value.every(isMember);
}

const isTokenId = (id: unknown) =>
  Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < mostIds;

const isText = (value: unknown) => typeof value === "string";

/** "a b", or ["a", "b"] as files are written since 2024. */
const isMerge = (merge: unknown) => isText(merge) || (isListOf(merge, isText) && merge.length === 2);

const isScoredToken = (entry: unknown) =>
  Array.isArray(entry) && isText(entry[0]) && typeof entry[1] === "number";

const isAddedToken = (token: unknown) =>
  isObject(token) && isTokenId(token.id) && isText(token.content) && token.content !== "";
