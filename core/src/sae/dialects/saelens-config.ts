import { FormatError, UnsupportedError } from "../../errors.ts";
import { describe } from "../../formats/json.ts";
import type { Normalization, SaeOrigin } from "../sae.ts";
import type { Config } from "./read-config.ts";
import { centringKey, type Either, headIndexOf, loadingOf, readingOf } from "./saelens-reading.ts";

/** An architecture of SAELens that can be read. `batchtopk` occurs in training checkpoints alone. */
export type SaelensArchitecture = "standard" | "topk" | "jumprelu" | "gated" | "batchtopk";

/** What a SAELens cfg.json says, of whatever release. */
export interface SaelensConfig {
  readonly architecture: SaelensArchitecture;
  /** Width of an activation. */
  readonly d: number;
  /** Number of latents. */
  readonly m: number;
  /** Latents kept by `topk`. */
  readonly k: number;
  /** Whether latents are selected by pre-activation times length of direction. */
  readonly selectsByNorm: boolean;
  readonly subtractsDecoderBias: boolean;
  /** The factor of `expected-average` lies in another file. */
  readonly normalization: Normalization["kind"];
  /** Whether a factor per latent from fine-tuning is to be expected beside the weights. */
  readonly fineTuned: boolean;
  readonly origin: Omit<SaeOrigin, "dialect">;
}

const unreadable: Readonly<Record<string, string>> = {
  transcoder: "a transcoder writes to another place than it reads",
  skip_transcoder: "a transcoder writes to another place than it reads",
  jumprelu_transcoder: "a transcoder writes to another place than it reads",
  jumprelu_skip_transcoder: "a transcoder writes to another place than it reads",
  temporal: "its code depends on earlier tokens",
  matching_pursuit: "its code comes from an iteration, not from one encoder product",
  abstopk: "its activations can be negative",
};

/** Read a cfg.json of any release. Throws FormatError for one that contradicts itself, UnsupportedError for one that cannot be used. */
export function parseSaelensConfig(config: Config): SaelensConfig {
  const metadata = config.section("metadata");
  const legacy = isLegacy(config, metadata);
  const architecture = architectureOf(config, legacy);
  const d = config.requiredCount("d_in");
  const m = config.requiredCount("d_sae");
  checkWritesWhereItReads(config, d);
  checkReshape(config);
  return {
    architecture,
    d,
    m,
    k: architecture === "topk" ? keptCount(config, m, legacy) : 0,
    selectsByNorm: config.flag("rescale_acts_by_decoder_norm") ?? false,
    subtractsDecoderBias: config.flag("apply_b_dec_to_input") ?? true,
    normalization: normalizationOf(config),
    fineTuned: config.flag("finetuning_scaling_factor") ?? false,
    origin: originOf(config, metadata, legacy),
  };
}

/** Files of before release 6.0.0-rc.0 have another layout; the oldest state no release at all. */
function isLegacy(config: Config, metadata: Config): boolean {
  const version = config.text("sae_lens_version") ?? metadata.text("sae_lens_version");
  if (version === undefined) return true;
  const major = /^(\d+)\./.exec(version)?.[1];
  if (major === undefined)
    throw new FormatError(
      `${config.name} states the SAELens release ${describe(version)}, expected one such as "6.0.0"`,
    );
  return Number(major) < 6;
}

function architectureOf(config: Config, legacy: boolean): SaelensArchitecture {
  const stated = config.text("architecture") ?? (legacy ? "standard" : undefined);
  if (stated === undefined) throw new FormatError(`${config.name} has no "architecture"`);
  const architecture = legacy ? legacyArchitecture(config, stated) : stated;
  switch (architecture) {
    case "standard":
    case "topk":
    case "jumprelu":
    case "gated":
    case "batchtopk":
      return architecture;
    case "matryoshka_batchtopk":
      // It differs in its loss alone.
      return "batchtopk";
  }
  const reason = Object.hasOwn(unreadable, architecture)
    ? unreadable[architecture]
    : "it is not one of standard, topk, jumprelu, gated, batchtopk and matryoshka_batchtopk";
  throw new UnsupportedError(
    `Cannot read the architecture ${describe(architecture)} of ${config.name}: ${reason}`,
  );
}

/** Before release 6 a standard SAE with the activation function topk was a TopK SAE. */
function legacyArchitecture(config: Config, stated: string): string {
  const activation = config.text("activation_fn_str") ?? config.text("activation_fn") ?? "relu";
  if (activation === "relu") return stated;
  if (activation === "topk" && (stated === "standard" || stated === "topk")) return "topk";
  throw new UnsupportedError(
    `Cannot read the activation function ${describe(activation)} of the ${stated} SAE of ${config.name}, expected relu or topk`,
  );
}

function keptCount(config: Config, m: number, legacy: boolean): number {
  const old = legacy ? config.section("activation_fn_kwargs").count("k") : undefined;
  const k = old ?? config.requiredCount("k");
  if (k > m)
    throw new FormatError(`${config.name} keeps the ${k} largest of ${m} latents, expected at most ${m}`);
  return k;
}

function checkWritesWhereItReads(config: Config, d: number): void {
  const written = config.count("d_out") ?? d;
  if (written !== d || config.flag("is_transcoder"))
    throw new UnsupportedError(`Cannot read ${config.name}: ${unreadable.transcoder}`);
}

function checkReshape(config: Config): void {
  const reshape = config.text("reshape_activations") ?? "none";
  // Activations are read with their heads side by side already, so that hook_z asks for nothing.
  if (reshape === "none" || reshape === "hook_z") return;
  throw new UnsupportedError(
    `Cannot reshape activations as ${config.name} asks with ${describe(reshape)}, expected none or hook_z`,
  );
}

function normalizationOf(config: Config): Normalization["kind"] {
  const stated = config.raw("normalize_activations") ?? "none";
  switch (stated) {
    case false:
    case "none":
      return "none";
    case true:
    case "expected_average_only_in":
      return "expected-average";
    case "constant_norm_rescale":
      return "unit-mean-square";
    case "layer_norm":
      return "layer-norm";
  }
  throw new UnsupportedError(
    `Cannot normalise activations as ${config.name} asks with ${describe(stated)}, expected none, layer_norm, ` +
      "constant_norm_rescale or expected_average_only_in",
  );
}

function originOf(config: Config, metadata: Config, legacy: boolean): Omit<SaeOrigin, "dialect"> {
  // Before release 6 the facts about the model lay beside the rest.
  const either: Either = (get) => get(metadata) ?? get(config);
  const stated = config.text("architecture") ?? "standard";
  const trainedAs = metadata.text("training_architecture") ?? stated;
  const statedL0 = metadata.number("l0");
  return withoutUndefined({
    architecture: trainedAs === stated ? stated : `${stated}, trained as ${trainedAs}`,
    modelName: either((from) => from.text("model_name")),
    hook: either((from) => from.text("hook_name") ?? from.text("hook_point")),
    prependBos: either((from) => from.flag("prepend_bos")) ?? (legacy ? true : undefined),
    contextSize: either((from) => from.count("context_size")),
    ...readingOf(either),
    statedL0,
    statedL0Source: statedL0 === undefined ? undefined : config.name,
    warnings: warningsOf(either),
  });
}

function warningsOf(either: Either): string[] {
  const warnings: string[] = [];
  const head = headIndexOf(either);
  if (head !== undefined) warnings.push(`It reads head ${head} of its hook alone.`);
  const loading = loadingOf(either) ?? {};
  // A model with no writes centred is the model as it is.
  if (Object.entries(loading).some(([key, value]) => key !== centringKey || value !== false))
    warnings.push(
      `Its model was loaded with ${JSON.stringify(loading).slice(0, 200)}; activations of a model loaded otherwise differ.`,
    );
  // What our own writer put there; of strangers' files not too much.
  const stated = either((from) => from.raw("warnings"));
  if (Array.isArray(stated))
    warnings.push(
      ...stated
        .filter((text) => typeof text === "string")
        .slice(0, 20)
        .map((text) => text.slice(0, 500)),
    );
  return [...new Set(warnings)];
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Partial<Defined<T>> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<
    Defined<T>
  >;
}
