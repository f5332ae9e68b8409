import { DataError, FormatError, parseJsonObject } from "@saestitch/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { createTokenizer } from "./hub-tokenizer.ts";

const json = async (name: string) => parseJsonObject(await readFixture(`tokenizers/${name}`), name);

interface Expected {
  readonly vocabulary: number;
  readonly ids: readonly (readonly number[])[];
  readonly decoded: readonly string[];
  readonly mixed: { readonly ids: readonly number[]; readonly decoded: string };
}
const { texts, kinds } = (await json("expected.json")) as unknown as {
  readonly texts: readonly string[];
  readonly kinds: Readonly<Record<string, Expected>>;
};

const open = async (kind: string, config = {}) =>
  createTokenizer(await json(`${kind}.tokenizer.json`), config, `${kind}.tokenizer.json`);

describe.each(Object.entries(kinds))("a %s tokenizer", (kind, expected) => {
  test("encodes as the reference implementation", async () => {
    const tokenizer = await open(kind);
    expect(tokenizer.vocabulary).toBe(expected.vocabulary);
    expect(texts.map((text) => [...tokenizer.encode(text)])).toEqual(expected.ids);
  });

  test("decodes as the reference implementation, special tokens by their names", async () => {
    const tokenizer = await open(kind);
    expect(expected.ids.map((ids) => tokenizer.decode(ids))).toEqual(expected.decoded);
    expect(tokenizer.decode(Int32Array.from(expected.mixed.ids))).toBe(expected.mixed.decoded);
  });

  test("cuts a text into pieces, one for each token", async () => {
    const tokenizer = await open(kind);
    for (const ids of [...expected.ids, expected.mixed.ids, []]) {
      const pieces = tokenizer.pieces(ids);
      expect(pieces).toHaveLength(ids.length);
      expect(pieces.join("")).toBe(tokenizer.decode(ids));
    }
  });

  test("cuts any tokens into pieces that are the text", async () => {
    const tokenizer = await open(kind);
    const ids = fc.integer({ min: 0, max: expected.vocabulary - 1 });
    fc.assert(
      fc.property(fc.array(ids, { maxLength: 40 }), (tokens) => {
        expect(tokenizer.pieces(tokens).join("")).toBe(tokenizer.decode(tokens));
      }),
      { numRuns: 60 },
    );
  });
});

test.each(["byte-level", "byte-fallback", "split-by-expression"])(
  "pieces() of a %s tokenizer gives a character to the last of its tokens",
  async (kind) => {
    const tokenizer = await open(kind);
    for (const character of ["☃", "汉", "🎈"]) {
      const tokens = tokenizer.encode(`a${character}b`);
      const pieces = tokenizer.pieces(tokens);
      const at = pieces.findIndex((piece) => piece.includes(character));
      expect(tokens.length).toBeGreaterThan(4);
      expect(pieces[at]).toBe(character);
      expect(pieces.slice(1, at)).toEqual(Array.from({ length: at - 1 }, () => ""));
      expect(pieces[at + 1]).toBe("b");
    }
  },
);

test("pieces() shows tokens that are no text by themselves as characters that were lost", async () => {
  const tokenizer = await open("byte-level");
  const [first] = tokenizer.encode("🎈");
  const [a] = tokenizer.encode("a");
  expect(tokenizer.pieces([a, first, a, first])).toEqual(["a", "\ufffd", "a", "\ufffd"]);
});

test("pieces() decodes long texts in steps of a few tokens", async () => {
  const tokenizer = await open("byte-fallback");
  const text = "the 🎈 cat ".repeat(2000);
  const pieces = tokenizer.pieces(tokenizer.encode(text));
  expect(pieces.join("")).toBe(text);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(12);
});

describe("BOS and EOS", () => {
  test("are what tokenizer_config.json says, as texts or objects", async () => {
    const config = { bos_token: "<s>", eos_token: { content: "</s>", lstrip: false } };
    expect(await open("byte-fallback", config)).toMatchObject({ bos: 1, eos: 2 });
  });

  test("are what stands around a text in the template, where tokenizer_config.json has none", async () => {
    const llama = await open("byte-fallback", { bos_token: null });
    expect(llama.bos).toBe(1);
    expect(llama).not.toHaveProperty("eos");
    const third = await open("split-by-expression");
    expect(third.decode([third.bos!])).toBe("<|begin_of_text|>");
    expect(await open("unigram")).toMatchObject({ eos: 1 });
    expect(await open("unigram")).not.toHaveProperty("bos");
    expect(await open("word-piece")).toMatchObject({ bos: 2, eos: 3 });
  });

  test("are what config.json names, where nothing else does", async () => {
    const file = await json("byte-level.tokenizer.json");
    const bosOf = (modelConfig: Record<string, unknown>) =>
      createTokenizer(file, {}, "t", { modelConfig }).bos;
    expect(bosOf({ bos_token_id: 0 })).toBe(0);
    expect(bosOf({ bos_token_id: [0, 7] })).toBe(0);
    expect(bosOf({ text_config: { bos_token_id: 0 } })).toBe(0);
    expect(bosOf({ bos_token_id: 50256 })).toBeUndefined();
    expect(bosOf({ bos_token_id: "0" })).toBeUndefined();
    expect(bosOf({})).toBeUndefined();
  });

  test("are special, as are all tokens marked so or given a role", async () => {
    expect((await open("byte-fallback")).special).toEqual(new Set([0, 1, 2]));
    expect((await open("byte-level", { pad_token: "!", additional_special_tokens: ['"'] })).special).toEqual(
      new Set([0, 1, 2]),
    );
    const modelConfig = { bos_token_id: 5 };
    const file = await json("byte-level.tokenizer.json");
    expect(createTokenizer(file, {}, "t", { modelConfig }).special).toEqual(new Set([0, 5]));
  });
});

test("encode() reads the name of a special token as that token", async () => {
  const tokenizer = await open("byte-fallback");
  expect([...tokenizer.encode("a</s>")]).toContain(2);
});

test("a word-level tokenizer takes the token for unknown words from tokenizer.json too", async () => {
  const tokenizer = await open("word-level");
  expect([...tokenizer.encode("the xyzzy")][1]).toBe(0);
});

test("encode() refuses text that it has no tokens for", async () => {
  const file = await json("word-level.tokenizer.json");
  const model = { ...(file.model as object), unk_token: "absent" };
  const tokenizer = createTokenizer({ ...file, model }, {}, "words.json");
  expect(() => tokenizer.encode("the xyzzy")).toThrow(DataError);
  expect(() => tokenizer.encode("the xyzzy")).toThrow(/words\.json/);
});

test("decode() and pieces() refuse tokens that are not there", async () => {
  const tokenizer = await open("byte-level");
  for (const id of [-1, tokenizer.vocabulary, 1.5, Number.NaN]) {
    expect(() => tokenizer.decode([0, id])).toThrow(DataError);
    expect(() => tokenizer.pieces([id])).toThrow(/ids go to 329/);
  }
});

test("createTokenizer() refuses malformed files, naming file and key", async () => {
  const file = await json("byte-level.tokenizer.json");
  const model = file.model as Record<string, unknown>;
  const wrong: [object, RegExp][] = [
    [{ model: null }, /t\.json has null as its "model"/],
    [{ model: { ...model, type: "Other" } }, /"Other" as its "model.type"/],
    [{ model: { ...model, vocab: [] } }, /"model.vocab"/],
    [{ model: { ...model, vocab: { a: 1e9 } } }, /id of the token "a", expected an integer below/],
    [{ model: { ...model, vocab: { a: -1 } } }, /id of the token "a"/],
    [{ model: { ...model, vocab: { a: "1" } } }, /id of the token "a"/],
    [{ model: { ...model, merges: "a b" } }, /"model.merges"/],
    [{ model: { ...model, merges: [["a", 1]] } }, /"model.merges"/],
    [{ model: { type: "Unigram", vocab: [["a"]] } }, /"model.vocab"/],
    [{ decoder: 7 }, /7 as its "decoder"/],
    [{ normalizer: undefined }, /"normalizer"/],
    [{ added_tokens: undefined }, /"added_tokens"/],
    [{ added_tokens: [{ id: 2 ** 30, content: "x" }] }, /"added_tokens"/],
    [{ added_tokens: [{ id: 2, content: "" }] }, /"added_tokens"/],
    [{ decoder: { type: "Nonsense" } }, /Cannot read the tokenizer t\.json/],
    [
      { pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" } },
      /Cannot read the tokenizer/,
    ],
  ];
  for (const [change, message] of wrong) {
    expect(() => createTokenizer({ ...file, ...change }, {}, "t.json")).toThrow(FormatError);
    expect(() => createTokenizer({ ...file, ...change }, {}, "t.json")).toThrow(message);
  }
});
