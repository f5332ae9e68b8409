import { dictionaryLearningWriter } from "./dictionary-learning-writer.ts";
import { gemmaScopeWriter } from "./gemma-scope-writer.ts";
import { saelensWriter } from "./saelens-writer.ts";
import type { SaeWriter } from "./writer.ts";

/** Every layout that can be written, the usual one first. */
export const saeWriters: readonly SaeWriter[] = [saelensWriter, gemmaScopeWriter, dictionaryLearningWriter];
