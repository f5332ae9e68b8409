import { encodeNpz } from "../../formats/encode-npz.ts";
import { foldInputBias } from "../fold.ts";
import { checkNotNormalized, jumpreluTensors } from "./write-tensors.ts";
import type { SaeWriter } from "./writer.ts";

/** The first Gemma Scope: params.npz, which says nothing of the model. */
export const gemmaScopeWriter: SaeWriter = {
  name: "gemma-scope",
  fileNames: ["params.npz"],

  write(sae) {
    checkNotNormalized(sae, this.name);
    return [{ name: "params.npz", chunks: encodeNpz(jumpreluTensors(foldInputBias(sae), this.name)) }];
  },
};
