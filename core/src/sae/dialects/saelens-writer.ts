import { UnsupportedError } from "../../errors.ts";
import { encodeSafetensors } from "../../formats/encode-safetensors.ts";
import { foldInputBias } from "../fold.ts";
import type { Sae } from "../sae.ts";
import { jsonBytes, jumpreluTensors } from "./write-tensors.ts";
import type { SaeWriter } from "./writer.ts";

/** The release whose layout is written; readers tell layouts apart by it. */
const release = "6.54.12";

/** SAELens, release 6: cfg.json and sae_weights.safetensors, architecture standard for `relu` and jumprelu. */
export const saelensWriter: SaeWriter = {
  name: "saelens",
  fileNames: ["cfg.json", "sae_weights.safetensors"],

  write(sae) {
    const subtractsDecoderBias =
      sae.inputBias.some((value) => value !== 0) &&
      sae.inputBias.every((value, k) => value === sae.decoderBias[k]);
    const written = subtractsDecoderBias ? sae : foldInputBias(sae);
    const isStandard = sae.activation.kind === "relu";
    const tensors = jumpreluTensors(written).filter(({ name }) => !isStandard || name !== "threshold");
    const config = {
      architecture: isStandard ? "standard" : "jumprelu",
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
      { name: "sae_weights.safetensors", chunks: encodeSafetensors(tensors) },
    ];
  },
};

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

function metadataOf({ origin }: Sae): object {
  const { modelName, hook, prependBos, contextSize, warnings = [] } = origin;
  return {
    sae_lens_version: release,
    model_name: modelName,
    hook_name: hook,
    prepend_bos: prependBos,
    context_size: contextSize,
    written_by: "saestitch",
    warnings: warnings.length > 0 ? warnings : undefined,
  };
}
