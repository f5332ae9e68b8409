import { FormatError, UnsupportedError } from "../../errors.ts";
import { describe } from "../../formats/json.ts";
import { type Npz, openNpz } from "../../formats/npz.ts";
import { openSafetensors } from "../../formats/safetensors.ts";
import { describeShape } from "../../formats/shape.ts";
import { type Matrix, matrix, zeros } from "../../tensor/matrix.ts";
import { allocateFloat32 } from "../../tensor/shared.ts";
import { recordFold } from "../fold.ts";
import type { Sae, SaeOrigin } from "../sae.ts";
import type { Dialect, SaeFiles } from "./dialect.ts";
import { type GemmaScopePath, parseGemmaScopePath } from "./gemma-scope-path.ts";
import { type Config, configOf, readConfig } from "./read-config.ts";
import {
  checkShape,
  checkTensor,
  readMatrix,
  readTransposed,
  readVector,
  sharedCopy,
  transposeInto,
} from "./read-tensors.ts";

const firstName = "params.npz";
const secondName = "params.safetensors";
const configName = "config.json";

/** Gemma Scope (JumpReLU): the first, params.npz and no config, and the second, config.json and params.safetensors. */
export const gemmaScope: Dialect = {
  name: "gemma-scope",
  fileNames: [firstName, configName, secondName],

  async recognizes(_files, names) {
    return names.includes(firstName) || names.includes(secondName);
  },

  async read(files, names) {
    const path = parseGemmaScopePath(files.location);
    return names.includes(firstName) ? readFirst(files, path) : readSecond(files, names, path);
  },
};

interface Weights {
  readonly encoder: Matrix;
  readonly encoderBias: Float32Array;
  readonly decoder: Matrix;
  readonly decoderBias: Float32Array;
  readonly threshold: Float32Array;
}

async function readFirst(files: SaeFiles, path: GemmaScopePath): Promise<Sae> {
  if (path.otherKind !== undefined) throw refusal(files.location, path.otherKind);
  const sae = saeOf(await readArrays(files), {
    dialect: gemmaScope.name,
    architecture: "jumprelu",
    location: files.location,
    ...(path.modelName !== undefined && { modelName: path.modelName }),
    ...(path.hook !== undefined && { hook: path.hook }),
    ...(path.statedL0 !== undefined && { statedL0: path.statedL0, statedL0Source: "the path" }),
    prependBos: true,
    files: [{ name: firstName }],
    warnings:
      path.hook === undefined
        ? [
            "Its path does not name the repository and the layer, so where in the model it belongs is not known.",
          ]
        : [],
  });
  return path.embedding ? unscaleEmbedding(sae) : sae;
}

async function readArrays(files: SaeFiles): Promise<Weights> {
  const npz = await openNpz(await files.open(firstName));
  // Some files write w_enc where others write W_enc.
  const nameOf = (array: string) => (npz.names.includes(array) ? array : array.replace("W_", "w_"));
  async function read(array: string, ...wanted: number[]): Promise<Float32Array> {
    const { shape, values } = await npz.readFloat32(nameOf(array));
    checkShape(npz.name, array, shape, wanted);
    return values;
  }
  const encoder = await readEncoder(npz, nameOf("W_enc"));
  const { rows: m, columns: d } = encoder;
  return {
    encoder,
    encoderBias: sharedCopy(await read("b_enc", m)),
    decoder: matrix(m, d, sharedCopy(await read("W_dec", m, d))),
    decoderBias: sharedCopy(await read("b_dec", d)),
    threshold: sharedCopy(await read("threshold", m)),
  };
}

/** On its own, so that the array as stored is let go before the decoder is read. */
async function readEncoder(npz: Npz, array: string): Promise<Matrix> {
  const { shape, values } = await npz.readFloat32(array);
  const [d, m] = twoAxes(npz.name, array, shape);
  const encoder = zeros(m, d);
  transposeInto(encoder, values, 0);
  return encoder;
}

function twoAxes(fileName: string, tensor: string, shape: readonly number[]): [number, number] {
  if (shape.length === 2) return [shape[0], shape[1]];
  throw new FormatError(`${tensor} of ${fileName} has the shape ${describeShape(shape)}, expected two axes`);
}

/** The SAEs of the embedding were trained on embeddings times √d; this one reads and writes embeddings as they are. */
function unscaleEmbedding(sae: Sae): Sae {
  const root = Math.sqrt(sae.encoder.columns);
  // The matrices were read for this SAE alone.
  for (let p = 0; p < sae.encoder.values.length; p++) sae.encoder.values[p] /= root;
  for (let p = 0; p < sae.decoder.values.length; p++) sae.decoder.values[p] *= root;
  return recordFold(sae, "input-scale", `encoder divided, decoder multiplied by √${sae.encoder.columns}`);
}

async function readSecond(files: SaeFiles, names: readonly string[], path: GemmaScopePath): Promise<Sae> {
  const hasConfig = names.includes(configName);
  const config = hasConfig ? await readConfig(files, configName) : configOf({}, files.location);
  checkKind(config, path);
  const tensors = await openSafetensors(await files.open(secondName));
  if (tensors.has("affine_skip_connection")) throw refusal(tensors.name, "transcoder");
  const [d, m] = twoAxes(tensors.name, "w_enc", tensors.info("w_enc").shape);
  const width = config.count("width") ?? m;
  if (width !== m)
    throw new FormatError(`${config.name} states ${width} latents, but ${tensors.name} has ${m}`);
  checkTensor(tensors, "w_enc", [d, m]);
  checkTensor(tensors, "w_dec", [m, d]);
  checkTensor(tensors, "b_dec", [d]);
  for (const vector of ["b_enc", "threshold"]) checkTensor(tensors, vector, [m]);
  const statedL0 = config.number("l0");
  const modelName = config.text("model_name");
  const hook = config.text("hf_hook_point_in");
  return saeOf(
    {
      encoder: await readTransposed(tensors, "w_enc", d, m),
      encoderBias: await readVector(tensors, "b_enc"),
      decoder: await readMatrix(tensors, "w_dec", m, d),
      decoderBias: await readVector(tensors, "b_dec"),
      threshold: await readVector(tensors, "threshold"),
    },
    {
      dialect: gemmaScope.name,
      architecture: "jump_relu",
      location: files.location,
      ...(modelName !== undefined && { modelName }),
      ...(hook !== undefined && { hook }),
      ...(statedL0 !== undefined && { statedL0, statedL0Source: configName }),
      prependBos: true,
      files: [...(hasConfig ? [{ name: configName }] : []), { name: secondName }],
      warnings: hasConfig ? [] : [`There is no ${configName}: it is taken for an autoencoder.`],
    },
  );
}

/** Throw unless config and path describe a JumpReLU autoencoder. */
function checkKind(config: Config, path: GemmaScopePath): void {
  const architecture = config.text("architecture") ?? "jump_relu";
  if (architecture !== "jump_relu")
    throw new UnsupportedError(
      `Cannot read the architecture ${describe(architecture)} of ${config.name}, expected "jump_relu"`,
    );
  const kind = config.text("type") ?? path.otherKind ?? "sae";
  if (kind !== "sae") throw refusal(config.name, kind);
  if (config.flag("affine_connection")) throw refusal(config.name, "transcoder");
}

function refusal(name: string, kind: string): UnsupportedError {
  return new UnsupportedError(
    `Cannot read ${name}: it is a ${kind}, which writes to another place than it reads, and only autoencoders can be compared`,
  );
}

function saeOf(weights: Weights, origin: SaeOrigin): Sae {
  const { encoder, encoderBias, decoder, decoderBias, threshold } = weights;
  return {
    encoder,
    encoderBias,
    decoder,
    decoderBias,
    inputBias: allocateFloat32(decoderBias.length),
    activation: { kind: "jumprelu", threshold },
    normalization: { kind: "none" },
    folds: [],
    origin,
  };
}
