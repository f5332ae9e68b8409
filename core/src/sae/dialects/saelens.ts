import { DataError, FormatError, UnsupportedError } from "../../errors.ts";
import { openSafetensors, type Safetensors } from "../../formats/safetensors.ts";
import { allocateFloat32 } from "../../tensor/shared.ts";
import { foldOutputScale, foldSelectionByNorm } from "../fold.ts";
import type { Activation, Normalization, Sae, SaeOrigin } from "../sae.ts";
import type { Dialect, SaeFiles } from "./dialect.ts";
import { readConfig } from "./read-config.ts";
import { checkTensor, readMatrix, readTransposed, readVector } from "./read-tensors.ts";
import { parseSaelensConfig, type SaelensArchitecture, type SaelensConfig } from "./saelens-config.ts";

const weightsName = "sae_weights.safetensors";
const configName = "cfg.json";
const sparsityName = "sparsity.safetensors";
const scalerName = "activation_scaler.json";

/**
 * SAELens, all releases: cfg.json and sae_weights.safetensors, with sparsity.safetensors (log10 of the share of tokens on
 * which each latent fires) and activation_scaler.json (the factor of `expected_average_only_in`) where there are any.
 */
export const saelens: Dialect = {
  name: "saelens",
  fileNames: [configName, weightsName, sparsityName, scalerName],

  async recognizes(files, names) {
    if (names.includes(weightsName)) return names.includes(configName) || !names.includes("config.json");
    return names.includes(configName) && (await readConfig(files, configName)).has("d_sae");
  },

  async read(files, names) {
    for (const name of [configName, weightsName])
      if (!names.includes(name))
        throw new FormatError(`${files.location} has no ${name}, expected it beside ${names.join(", ")}`);
    const config = parseSaelensConfig(await readConfig(files, configName));
    const tensors = await openSafetensors(await files.open(weightsName));
    checkTensors(tensors, config);
    const normalization = await normalizationOf(files, names, config);
    const sae: Sae = {
      ...(await readWeights(tensors, config)),
      normalization,
      folds: [],
      origin: await originOf(files, names, config, normalization),
    };
    const selected =
      config.selectsByNorm && selects(config) ? foldSelectionByNorm(sae, { inPlace: true }) : sae;
    const scale = await fineTunedScale(tensors, config);
    return scale === undefined ? selected : foldOutputScale(selected, scale, { inPlace: true });
  },
};

const vectorsOf: Readonly<Record<SaelensArchitecture, readonly string[]>> = {
  standard: ["b_enc"],
  topk: ["b_enc"],
  batchtopk: ["b_enc"],
  jumprelu: ["b_enc", "threshold"],
  gated: ["b_gate", "b_mag", "r_mag"],
};

/** Check every shape before anything is allocated. */
function checkTensors(tensors: Safetensors, { architecture, d, m }: SaelensConfig): void {
  if (tensors.has("W_skip"))
    throw new UnsupportedError(
      `Cannot read ${tensors.name}: W_skip makes it a transcoder, which is no autoencoder`,
    );
  checkTensor(tensors, "W_enc", [d, m]);
  checkTensor(tensors, "W_dec", [m, d]);
  checkTensor(tensors, "b_dec", [d]);
  for (const vector of vectorsOf[architecture]) checkTensor(tensors, vector, [m]);
  if (architecture === "batchtopk") checkTensor(tensors, "topk_threshold", []);
}

async function readWeights(
  tensors: Safetensors,
  config: SaelensConfig,
): Promise<Pick<Sae, "encoder" | "encoderBias" | "decoder" | "decoderBias" | "inputBias" | "activation">> {
  const { architecture, d, m } = config;
  const decoderBias = await readVector(tensors, "b_dec");
  return {
    encoder: await readTransposed(tensors, "W_enc", d, m),
    encoderBias: await readVector(tensors, architecture === "gated" ? "b_gate" : "b_enc"),
    decoder: await readMatrix(tensors, "W_dec", m, d),
    decoderBias,
    inputBias: config.subtractsDecoderBias ? decoderBias : allocateFloat32(d),
    activation: await readActivation(tensors, config),
  };
}

async function readActivation(tensors: Safetensors, { architecture, k }: SaelensConfig): Promise<Activation> {
  switch (architecture) {
    case "standard":
      return { kind: "relu" };
    case "topk":
      return { kind: "topk", k };
    case "batchtopk":
      return { kind: "batchtopk", threshold: (await tensors.readFloat32("topk_threshold"))[0] };
    case "jumprelu":
      return { kind: "jumprelu", threshold: await readVector(tensors, "threshold") };
    case "gated":
      return readGate(tensors);
    default:
      return architecture satisfies never;
  }
}

/** The magnitude ReLU(exp(r_mag) · (z − b_gate) + b_mag), in terms of the gate's pre-activation z. */
async function readGate(tensors: Safetensors): Promise<Activation> {
  const magnitudeScale = await readVector(tensors, "r_mag");
  const magnitudeOffset = await readVector(tensors, "b_mag");
  const gateBias = await tensors.readFloat32("b_gate");
  for (let j = 0; j < gateBias.length; j++) {
    const scale = Math.exp(magnitudeScale[j]);
    magnitudeOffset[j] -= scale * gateBias[j];
    magnitudeScale[j] = scale;
  }
  return { kind: "gated", magnitudeScale, magnitudeOffset };
}

function selects({ architecture }: SaelensConfig): boolean {
  return architecture === "topk" || architecture === "batchtopk";
}

/** The factor per latent left by fine-tuning; undefined when there is none or it changes nothing. */
async function fineTunedScale(
  tensors: Safetensors,
  { m, fineTuned }: SaelensConfig,
): Promise<Float32Array | undefined> {
  const tensor = ["scaling_factor", "finetuning_scaling_factor"].find((name) => tensors.has(name));
  if (tensor === undefined) return undefined;
  checkTensor(tensors, tensor, [m]);
  const scale = await tensors.readFloat32(tensor);
  if (scale.every((value) => Math.abs(value - 1) <= 1e-5)) return undefined;
  if (!fineTuned) {
    throw new FormatError(
      `${tensors.name} holds a ${tensor} that is not 1, but ${configName} does not say finetuning_scaling_factor: true`,
    );
  }
  return scale;
}

async function normalizationOf(
  files: SaeFiles,
  names: readonly string[],
  { normalization }: SaelensConfig,
): Promise<Normalization> {
  if (normalization !== "expected-average") return { kind: normalization };
  if (!names.includes(scalerName)) return { kind: normalization, factor: null };
  const scaler = await readConfig(files, scalerName);
  const factor = scaler.number("scaling_factor") ?? null;
  if (factor !== null && factor <= 0)
    throw new FormatError(`${scaler.name} has the scaling_factor ${factor}, expected a positive number`);
  return { kind: normalization, factor };
}

async function originOf(
  files: SaeFiles,
  names: readonly string[],
  config: SaelensConfig,
  normalization: Normalization,
): Promise<SaeOrigin> {
  const measured =
    config.origin.statedL0 === undefined && names.includes(sparsityName)
      ? { statedL0: await statedL0(files, config), statedL0Source: sparsityName }
      : {};
  const missing =
    normalization.kind === "expected-average" && normalization.factor === null
      ? [`It expects activations multiplied by a factor that its files do not hold (${scalerName}).`]
      : [];
  return {
    dialect: saelens.name,
    location: files.location,
    ...config.origin,
    ...measured,
    files: saelens.fileNames.filter((name) => names.includes(name)).map((name) => ({ name })),
    warnings: [...(config.origin.warnings ?? []), ...missing],
  };
}

/** Mean number of active latents: the sum of the shares of tokens on which each fires. A latent that never fired has −∞. */
async function statedL0(files: SaeFiles, { m }: SaelensConfig): Promise<number> {
  const tensors = await openSafetensors(await files.open(sparsityName));
  checkTensor(tensors, "sparsity", [m]);
  let sum = 0;
  for (const logarithm of await tensors.readFloat32("sparsity")) sum += 10 ** logarithm;
  if (!(sum <= m * 1.001))
    throw new DataError(
      `sparsity of ${tensors.name} sums to ${sum} active latents per token, expected at most ${m}`,
    );
  return sum;
}
