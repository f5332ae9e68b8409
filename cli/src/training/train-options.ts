import {
  choice,
  flag,
  list,
  type OptionValues,
  optionalDecimal,
  required,
  text,
  wholeNumber,
  wholeNumbers,
} from "../arguments/option.ts";
import { recordedOptions } from "../inputs/sample-options.ts";

const positive = { wanted: "above 0", accepts: (x: number) => x > 0 && Number.isFinite(x) };

/** Options of `train`. Most that may be left out have defaults that depend on the others. */
export const trainOptions = {
  ...recordedOptions,
  "activation-scale": {
    ...recordedOptions["activation-scale"],
    help: "For --residual-of: the factor that SAE expects activations multiplied by, or estimate to take √d over the mean norm of the sample (default: the one in its files)",
  },
  widths: required(
    wholeNumbers("M,…", 1, "Numbers of latents, separated by commas; all are trained in one pass"),
  ),
  architecture: choice(
    ["batchtopk", "topk", "relu", "jumprelu", "gated", "matryoshka"],
    "batchtopk",
    "What keeps codes sparse",
  ),
  k: wholeNumber(
    "K",
    1,
    undefined,
    "Active latents per token, for batchtopk, topk and matryoshka (default 32)",
  ),
  prefixes: list(
    "SHARE,…",
    "ascending shares of the latents such as 1/4,1/2,1",
    readShare,
    "For matryoshka: shares of the latents that reconstruct alone too (default 1/16,1/8,1/4,1/2,1)",
  ),
  l1: optionalDecimal(
    "X",
    positive,
    "For relu and gated: weight of the L1 penalty, or where it starts when --target-l0 steers it (default 0.05)",
  ),
  "target-l0": optionalDecimal(
    "X",
    positive,
    "For relu, gated and jumprelu: active latents per token to aim at (default 32; relu and gated aim at none when --l1 is given)",
  ),
  "sparsity-weight": optionalDecimal("X", positive, "For jumprelu: weight of the penalty (default 1)"),
  bandwidth: optionalDecimal(
    "X",
    positive,
    "For jumprelu: width around a threshold within which a pre-activation moves it (default 0.001)",
  ),
  "penalty-warm-up-steps": wholeNumber(
    "N",
    0,
    undefined,
    "For relu, gated and jumprelu: steps over which the penalty rises from zero (default a twentieth)",
  ),
  seeds: wholeNumbers(
    "S,…",
    0,
    "Seeds of the first directions; every width is trained with each (default 0)",
  ),
  steps: wholeNumber(
    "N",
    1,
    undefined,
    "Batches to train on (default one pass over the rows, but at least 2000)",
  ),
  "train-tokens": wholeNumber("N", 1, undefined, "Instead of --steps: tokens to train on, in whole batches"),
  "batch-rows": wholeNumber(
    "N",
    1,
    undefined,
    "Tokens per batch (default 4096, but at most an eighth of the rows)",
  ),
  "learning-rate": optionalDecimal(
    "X",
    positive,
    "Learning rate of Adam between warm-up and decay (default 2e-4 / √(latents / 16384))",
  ),
  "warm-up-steps": wholeNumber(
    "N",
    0,
    undefined,
    "Steps over which the learning rate rises from zero (default a twentieth, at most 1000)",
  ),
  "decay-steps": wholeNumber(
    "N",
    0,
    undefined,
    "Steps at the end over which it falls to zero (default a fifth)",
  ),
  seed: wholeNumber("N", 0, 0, "Seed of the order in which tokens are taken"),
  "window-rows": wholeNumber(
    "N",
    1,
    undefined,
    "Rows held in memory and shuffled among each other (default those that take 128 MiB)",
  ),
  center: choice(["geometric-median", "mean", "zero"], "geometric-median", "Where decoder biases begin"),
  "no-scale": flag(
    "Train on activations as they are, not scaled to a mean squared length of 1; what is written reads them as they are either way",
  ),
  "residual-of": text("SAE", "Train on what this SAE leaves unexplained of the activations"),
  model: text(
    "NAME",
    "Model that the activations are of, for cfg.json (default that of --residual-of, or that they were captured from)",
  ),
  hook: text(
    "NAME",
    "Place in the model where they were read, such as blocks.8.hook_resid_pre, for cfg.json (default that of --residual-of, or where they were captured)",
  ),
  out: required(
    text("DIR", "Write each SAE into a folder of its own in this one, beside train.svg, log.jsonl, run.json"),
  ),
  resume: flag("Go on from the checkpoint in --out"),
  force: flag("Replace an earlier training in --out"),
  "checkpoint-every": wholeNumber("SECONDS", 0, 120, "Time between two checkpoints"),
  "log-every": wholeNumber("SECONDS", 0, 5, "Time between two lines of progress, and of log.jsonl"),
} as const;

/** The values of {@link trainOptions}. */
export type TrainOptions = OptionValues<typeof trainOptions>;

/** A share above 0 and at most 1, as a fraction or a decimal. */
function readShare(text: string): number | undefined {
  const [, over, under = "1"] = /^\s*([\d.]+)(?:\/([\d.]+))?\s*$/.exec(text) ?? [];
  const share = Number(over) / Number(under);
  return share > 0 && share <= 1 ? share : undefined;
}
