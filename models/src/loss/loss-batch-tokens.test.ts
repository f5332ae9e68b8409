import { expect, test } from "vitest";
import { lossBatchTokens } from "./loss-batch-tokens.ts";

test("lossBatchTokens() keeps one matrix of logits within the budget, and never asks for no token", () => {
  expect(lossBatchTokens(256000)).toBe(262);
  expect(lossBatchTokens(512, 4096)).toBe(2);
  expect(lossBatchTokens(512, 2047)).toBe(1);
});

test("lossBatchTokens() allows no more than an ordinary batch has", () => {
  expect(lossBatchTokens(512)).toBe(1024);
  expect(lossBatchTokens(undefined)).toBe(1024);
});
