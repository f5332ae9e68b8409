import type { TokenizerJson } from "./check-tokenizer-json.ts";

/** Ids of the tokens that stand for no text. */
export interface SpecialTokens {
  readonly bos?: number;
  readonly eos?: number;
  readonly special: ReadonlySet<number>;
}

/** What is looked through for special tokens, the first that says something first. */
export interface SpecialTokenFiles {
  readonly tokenizer: TokenizerJson;
  /** tokenizer_config.json */
  readonly tokenizerConfig: TokenizerJson;
  /** The model's config.json. */
  readonly modelConfig: TokenizerJson;
}

const roles = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"] as const;

/**
 * The special tokens of a tokenizer: those that tokenizer.json marks and those that tokenizer_config.json gives a role. BOS and EOS are
 * what tokenizer_config.json calls so; else what the template of tokenizer.json puts before and after a text; else what config.json
 * names by id. A name or an id that the tokenizer does not have counts as none.
 */
export function findSpecialTokens(
  { tokenizer, tokenizerConfig, modelConfig }: SpecialTokenFiles,
  idOf: (token: string) => number | undefined,
  isId: (id: number) => boolean,
): SpecialTokens {
  const named = (token: unknown) => {
    const name = typeof token === "string" ? token : member(token, "content");
    return typeof name === "string" ? idOf(name) : undefined;
  };
  const numbered = (id: unknown) => {
    const first = Array.isArray(id) ? id[0] : id;
    return typeof first === "number" && isId(first) ? first : undefined;
  };
  const template = templateOf(tokenizer.post_processor);
  const idFor = (role: "bos" | "eos", inTemplate: unknown) =>
    named(tokenizerConfig[`${role}_token`]) ??
    named(inTemplate) ??
    numbered(modelConfig[`${role}_token_id`]) ??
    numbered(member(modelConfig.text_config, `${role}_token_id`));
  const bos = idFor("bos", template.before);
  const eos = idFor("eos", template.after);

  const marked = list(tokenizer.added_tokens)
    .filter((token) => member(token, "special") === true)
    .map((token) => member(token, "id"));
  const additional = list(tokenizerConfig.additional_special_tokens).map(named);
  const withRole = roles.map((role) => named(tokenizerConfig[`${role}_token`]));
  const special = new Set(
    [...marked, ...additional, ...withRole, bos, eos].filter((id) => typeof id === "number"),
  );
  return { ...(bos !== undefined && { bos }), ...(eos !== undefined && { eos }), special };
}

interface Template {
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The tokens that a post-processor puts at the two ends of a single text. */
function templateOf(processor: unknown): Template {
  switch (member(processor, "type")) {
    case "TemplateProcessing": {
      const single = list(member(processor, "single"));
      const isText = (item: unknown) => member(item, "Sequence") !== undefined;
      const tokenOf = (item: unknown) => member(member(item, "SpecialToken"), "id");
      const text = single.findIndex(isText);
      if (text < 0) return {};
      return { before: tokenOf(single[0]), after: tokenOf(single[text + 1]) };
    }
    case "BertProcessing":
    case "RobertaProcessing":
      return { before: list(member(processor, "cls"))[0], after: list(member(processor, "sep"))[0] };
    case "Sequence":
      return Object.assign({}, ...list(member(processor, "processors")).map(templateOf));
    default:
      return {};
  }
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
