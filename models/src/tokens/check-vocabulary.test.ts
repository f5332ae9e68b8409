import { UnsupportedError } from "@saestitch/core";
import { expect, test } from "vitest";
import { checkVocabulary } from "./check-vocabulary.ts";

const tokenizer = (vocabulary: number, special: readonly number[] = []) => ({
  location: "tokenizer.json",
  vocabulary,
  special: new Set(special),
});
const model = (vocabulary?: number) => ({
  location: "model.onnx",
  ...(vocabulary !== undefined && { vocabulary }),
});

test("checkVocabulary() lets a model be padded", () => {
  expect(checkVocabulary(tokenizer(50257), model(50257))).toBeUndefined();
  expect(checkVocabulary(tokenizer(50277), model(50304))).toBeUndefined();
});

test("checkVocabulary() refuses a tokenizer with more tokens, naming both numbers", () => {
  expect(() => checkVocabulary(tokenizer(50257), model(512))).toThrow(UnsupportedError);
  expect(() => checkVocabulary(tokenizer(50257), model(512))).toThrow(/50257 tokens.* 512 apart/);
  expect(() => checkVocabulary(tokenizer(514, [513]), model(512))).toThrow(UnsupportedError);
});

test("checkVocabulary() warns of special tokens that the model does not have", () => {
  expect(checkVocabulary(tokenizer(514, [512, 513]), model(512))).toMatch(/special tokens from 512 on/);
});

test("checkVocabulary() warns of a model with many more tokens, and of one that does not tell", () => {
  expect(checkVocabulary(tokenizer(512), model(50257))).toMatch(/may be of another model/);
  expect(checkVocabulary(tokenizer(512), model())).toMatch(/not checked/);
});
