import { encodeTorch } from "../../formats/encode-torch.ts";
import { foldInputBias } from "../fold.ts";
import type { Sae } from "../sae.ts";
import { checkNotNormalized, jsonBytes, jumpreluTensors } from "./write-tensors.ts";
import type { SaeWriter } from "./writer.ts";

/** dictionary_learning: ae.pt, the state dict of a JumpReluAutoEncoder, and config.json, both as its trainers leave them. */
export const dictionaryLearningWriter: SaeWriter = {
  name: "dictionary-learning",
  fileNames: ["ae.pt", "config.json"],

  write(sae) {
    checkNotNormalized(sae, this.name);
    return [
      { name: "ae.pt", chunks: encodeTorch(jumpreluTensors(foldInputBias(sae), this.name)) },
      { name: "config.json", chunks: [jsonBytes(configOf(sae))] },
    ];
  },
};

function configOf({ encoder, origin }: Sae): object {
  const layer = /(?:^|\.)(?:blocks|layers|h)\.(\d+)(?:\.|$)/.exec(origin.hook ?? "")?.[1];
  return {
    trainer: {
      dict_class: "JumpReluAutoEncoder",
      activation_dim: encoder.columns,
      dict_size: encoder.rows,
      device: "cpu",
      layer: layer === undefined ? null : Number(layer),
      lm_name: origin.modelName ?? null,
      submodule_name: origin.hook ?? null,
      written_by: "saestitch",
    },
    buffer: { d_submodule: encoder.columns, ctx_len: origin.contextSize ?? null },
  };
}
