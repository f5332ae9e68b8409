import { metaRecipes } from "@saestitch/core";
import { choice, flag, type OptionValues, required, text, wholeNumber } from "../arguments/option.ts";
import { readingOptions } from "../inputs/sample-options.ts";

const { threads, json, quiet } = readingOptions;

/** Options of `meta`. */
export const metaOptions = {
  latents: wholeNumber(
    "N",
    1,
    undefined,
    "Meta-latents (default, for leask a 21st, for saebench a quarter as many as there are directions)",
  ),
  k: wholeNumber("K", 1, metaRecipes.leask.k, "Active meta-latents per latent on average"),
  recipe: choice(
    ["leask", "saebench"],
    "leask",
    "Published settings to train by: batches, learning rate, revival of dead meta-latents",
  ),
  steps: wholeNumber(
    "N",
    1,
    undefined,
    `Batches to train on (default ${metaRecipes.leask.steps} for leask, ${metaRecipes.saebench.steps} for saebench)`,
  ),
  compare: text(
    "SAE",
    "Compare meta-latents with the latents of this smaller SAE, and both with chance; trains three times more",
  ),
  "no-null": flag("Do not train another one on random directions, which takes as long again"),
  seed: wholeNumber("N", 0, 0, "Seed of the first directions, of the batches and of what is random"),
  out: required(
    text(
      "DIR",
      "Write the meta-SAE, decomposition.parquet, meta-latents.parquet, meta.json and meta.svg here",
    ),
  ),
  force: flag("Replace an earlier meta-SAE in --out"),
  threads,
  json,
  quiet,
} as const;

/** The values of {@link metaOptions}. */
export type MetaOptions = OptionValues<typeof metaOptions>;
