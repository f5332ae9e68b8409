import { UnsupportedError } from "../../errors.ts";
import { encodeSafetensors } from "../../formats/encode-safetensors.ts";
import type { TorchTensorToWrite } from "../../formats/encode-torch.ts";
import { foldInputBias } from "../fold.ts";
import type { Activation, Sae } from "../sae.ts";
import { jsonBytes, jumpreluTensors, linearTensors } from "./write-tensors.ts";
import type { SaeWriter } from "./writer.ts";

/** The release whose layout is written; readers tell layouts apart by it. */
const release = "6.54.12";

/** What SAELens calls an activation at inference, where it has no BatchTopK but exports it with one threshold for all latents. */
const architectures: Readonly<Record<Activation["kind"], string>> = {
  relu: "standard",
  jumprelu: "jumprelu",
  topk: "topk",
  batchtopk: "jumprelu",
  gated: "gated",
};

/**
 * SAELens, release 6: cfg.json and sae_weights.safetensors. Its loader is strict: no tensor may be missing, none be there that its
 * architecture does not know.
 *
 * - All have W_enc [d, m], W_dec [m, d] and b_dec [d]; all but `gated` b_enc [m]; `jumprelu` a threshold [m].
 * - `topk` says k. It selects by the pre-activations alone, so `rescale_acts_by_decoder_norm` is false.
 * - `gated` opens latent j where u · W_enc + b_gate > 0, with the magnitude ReLU(exp(r_mag) · (u · W_enc) + b_mag).
 * - `apply_b_dec_to_input`, true when it is left out, subtracts b_dec from the input; another input bias is folded.
 * - `training_architecture` in the metadata is what an SAE was trained as where its architecture says otherwise.
 */
export const saelensWriter: SaeWriter = {
  name: "saelens",
  fileNames: ["cfg.json", "sae_weights.safetensors"],

  write(sae) {
    const subtractsDecoderBias =
      sae.inputBias.some((value) => value !== 0) &&
      sae.inputBias.every((value, k) => value === sae.decoderBias[k]);
    const written = subtractsDecoderBias ? sae : foldInputBias(sae);
    const config = {
      architecture: architectures[sae.activation.kind],
      ...(sae.activation.kind === "topk" && { k: sae.activation.k, rescale_acts_by_decoder_norm: false }),
      d_in: sae.encoder.columns,
      d_sae: sae.encoder.rows,
      dtype: "float32",
      device: "cpu",
      apply_b_dec_to_input: subtractsDecoderBias,
      normalize_activations: normalizationOf(sae),
      reshape_activations: sae.origin.hook?.endsWith("hook_z") ? "hook_z" : "none",
      metadata: metadataOf(sae),
    };
    return [
      { name: "cfg.json", chunks: [jsonBytes(config)] },
      { name: "sae_weights.safetensors", chunks: encodeSafetensors(tensorsOf(written)) },
    ];
  },
};

function tensorsOf(sae: Sae): TorchTensorToWrite[] {
  const { activation, encoderBias } = sae;
  switch (activation.kind) {
    case "relu":
    case "topk":
      return linearTensors(sae, "b_enc");
    case "jumprelu":
    case "batchtopk":
      return jumpreluTensors(sae, saelensWriter.name);
    case "gated": {
      const { logScale, offset } = magnitude(activation, encoderBias);
      const shape = [encoderBias.length];
      return [
        ...linearTensors(sae, "b_gate"),
        { name: "r_mag", dtype: "F32", shape, values: logScale },
        { name: "b_mag", dtype: "F32", shape, values: offset },
      ];
    }
    default:
      return activation satisfies never;
  }
}

/** The magnitude z · magnitudeScale + magnitudeOffset of a gate with pre-activation z, as exp(logScale) · (z − gateBias) + offset. */
function magnitude(
  { magnitudeScale, magnitudeOffset }: Extract<Activation, { kind: "gated" }>,
  gateBias: Float32Array,
) {
  const logScale = magnitudeScale.map(Math.log);
  // The logarithm was rounded: with the scale that it stands for, the offset loses nothing by that.
  const offset = magnitudeOffset.map((value, j) => value + Math.exp(logScale[j]) * gateBias[j]);
  return { logScale, offset };
}

function normalizationOf({ normalization, origin }: Sae): string {
  switch (normalization.kind) {
    case "none":
      return "none";
    case "layer-norm":
      return "layer_norm";
    case "unit-mean-square":
      return "constant_norm_rescale";
    case "expected-average":
      throw new UnsupportedError(
        `Cannot write ${origin.location ?? "the SAE"}: it expects activations multiplied by a factor, which must be folded into its weights first`,
      );
    default:
      return normalization satisfies never;
  }
}

function metadataOf({ activation, origin }: Sae): object {
  const { modelName, hook, prependBos, contextSize, architecture, warnings = [] } = origin;
  const { centredWrites, excludeSpecialTokens, seqposSlice, headIndex, datasetPath } = origin;
  return {
    sae_lens_version: release,
    model_name: modelName,
    hook_name: hook,
    prepend_bos: prependBos,
    context_size: contextSize,
    model_from_pretrained_kwargs:
      centredWrites === undefined ? undefined : { center_writing_weights: centredWrites },
    exclude_special_tokens: excludeSpecialTokens,
    seqpos_slice: seqposSlice,
    hook_head_index: headIndex,
    dataset_path: datasetPath,
    training_architecture: activation.kind === "batchtopk" ? (architecture ?? "batchtopk") : undefined,
    written_by: "saestitch",
    warnings: warnings.length > 0 ? warnings : undefined,
  };
}
