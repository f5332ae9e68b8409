// The tokenizers of transformers.js 4 as a package of their own: the whole of it would bring a second ONNX Runtime and an image library.
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { DataError, FormatError } from "@saestitch/core";
import { checkTokenizerJson, type TokenizerJson } from "./check-tokenizer-json.ts";
import { findSpecialTokens } from "./special-tokens.ts";
import { tokenPieces } from "./token-pieces.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * The tokenizer that a tokenizer.json describes; `tokenizerConfig` is the tokenizer_config.json beside it, `modelConfig` the model's config.json,
 * both looked into for BOS and EOS ({@link findSpecialTokens}). `location` names the file.
 *
 * Throws {@link FormatError} where the file is malformed or asks for what is not known. Encoding throws {@link DataError} for text that
 * the tokenizer has no tokens for, decoding for tokens that it does not have.
 *
 * Format: https://huggingface.co/docs/tokenizers
 */
export function createTokenizer(
  tokenizerJson: TokenizerJson,
  tokenizerConfig: TokenizerJson | undefined,
  location: string,
  { modelConfig = {} }: { readonly modelConfig?: TokenizerJson } = {},
): Tokenizer {
  checkTokenizerJson(tokenizerJson, location);
  const config = tokenizerConfig ?? {};
  const hub = open(tokenizerJson, config, location);
  const vocabulary = largestId(hub) + 1;
  const isId = (id: number) => hub.id_to_token(id) !== undefined;
  const specials = findSpecialTokens(
    { tokenizer: tokenizerJson, tokenizerConfig: config, modelConfig },
    (token) => hub.token_to_id(token),
    isId,
  );

  function decode(tokenIds: readonly number[]): string {
    if (tokenIds.length === 0) return "";
    return hub.decode([...tokenIds], { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }
  function check(tokenIds: Int32Array | readonly number[]): readonly number[] {
    const ids = Array.from(tokenIds);
    const unknown = ids.find((id) => !isId(id));
    if (unknown === undefined) return ids;
    throw new DataError(
      `Cannot decode the token ${unknown}: ${location} has no such token, its ids go to ${vocabulary - 1}`,
    );
  }

  return {
    location,
    vocabulary,
    ...specials,
    encode(text) {
      const ids = encodeText(hub, text, location);
      if (ids.includes(undefined))
        throw new DataError(
          `Cannot encode text with ${location}: it holds characters that are in no token, and there is no token for unknown ones`,
        );
      return Int32Array.from(ids as readonly number[]);
    },
    decode: (tokenIds) => decode(check(tokenIds)),
    pieces: (tokenIds) => tokenPieces(check(tokenIds), decode),
  };
}

/** A token that is not there comes as undefined, whatever the types of the package say. */
function encodeText(hub: HubTokenizer, text: string, location: string): readonly (number | undefined)[] {
  try {
    return hub.encode(text, { add_special_tokens: false }).ids;
  } catch (cause) {
    throw new DataError(
      `Cannot encode ${text.length} characters with ${location}: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

function open(tokenizerJson: TokenizerJson, tokenizerConfig: TokenizerJson, location: string): HubTokenizer {
  try {
    return new HubTokenizer(tokenizerJson, withTokensAsTexts(tokenizerJson, tokenizerConfig));
  } catch (cause) {
    throw new FormatError(`Cannot read the tokenizer ${location}: ${(cause as Error).message}`, { cause });
  }
}

/** The package takes tokens of the config as texts only, and the token for unknown words from there alone. */
function withTokensAsTexts({ model }: TokenizerJson, tokenizerConfig: TokenizerJson): TokenizerJson {
  const asText = (value: unknown) =>
    typeof value === "object" && value !== null && "content" in value ? value.content : value;
  const { unk_token } = model as TokenizerJson;
  const entries = Object.entries(tokenizerConfig).map(([key, value]) => [
    key,
    key.endsWith("_token") ? asText(value) : value,
  ]);
  return { unk_token, ...Object.fromEntries(entries) };
}

function largestId(hub: HubTokenizer): number {
  let largest = -1;
  for (const id of hub.get_vocab().values()) if (id > largest) largest = id;
  return largest;
}
