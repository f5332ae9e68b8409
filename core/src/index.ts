export type { ActivationBatch, ActivationSource } from "./activations/activation-source.ts";
export { openArrowCache } from "./activations/arrow-cache.ts";
export { excludeTokens, findBosToken } from "./activations/exclusion.ts";
export { activationsInMemory } from "./activations/in-memory.ts";
export { mapBatches } from "./activations/map-batches.ts";
export { openShards } from "./activations/shards.ts";
export { usableRows } from "./activations/usable-rows.ts";
export * from "./errors.ts";

export type { ByteSource } from "./formats/byte-source.ts";
export { bytesSource } from "./formats/bytes-source.ts";
export { encodeSafetensors, type TensorToWrite } from "./formats/encode-safetensors.ts";
export { openSafetensors, type Safetensors } from "./formats/safetensors.ts";
export { openBrowserKernels } from "./kernels/browser-kernels.ts";
export type { Kernels, Matches, Selection } from "./kernels/kernels.ts";
export { referenceKernels } from "./kernels/reference-kernels.ts";
export { createWasmKernels } from "./kernels/wasm-kernels.ts";
export { normal, type Random, randomDirection, seededRandom } from "./linalg/random.ts";
export { type MeasuredReconstruction, measureReconstruction } from "./metrics/measure-reconstruction.ts";
export * from "./metrics/reconstruction.ts";
export type { Dialect, SaeFiles } from "./sae/dialects/dialect.ts";
export { type Encoding, encode, reconstruct, residual } from "./sae/encode.ts";
export { foldDecoderNorms, foldInputBias, foldInputScale } from "./sae/fold.ts";
export { openSae } from "./sae/open-sae.ts";
export type { Activation, Fold, Normalization, Sae, SaeOrigin } from "./sae/sae.ts";
export { normalQuantile, normalTail } from "./statistics/normal.ts";
export type { Agreement } from "./stitching/agreement-sums.ts";
export type { CosineNull, CosinePredictor } from "./stitching/cosine-predictor.ts";
export { PUBLISHED_COSINE_THRESHOLD } from "./stitching/cosine-predictor.ts";
export type { Gating } from "./stitching/gating.ts";
export type { BiasRule } from "./stitching/insertion-effect.ts";
export {
  checkLabelOptions,
  defaultLabelOptions,
  type LabelOptions,
  type Labels,
  type LatentColumns,
  label,
  labelLatents,
  pairSaes,
} from "./stitching/label.ts";
export { type LabelSums, mergeLabelSums } from "./stitching/label-sums.ts";
export { decodeLabelSums, encodeLabelSums } from "./stitching/label-sums-file.ts";
export { checkWidths, emptyLabelSums, measureInsertion, type Pair } from "./stitching/measure-insertion.ts";
export { type Verdict, verdicts } from "./stitching/verdict.ts";
export { type Matrix, matrix, row, rowRange, zeros } from "./tensor/matrix.ts";
export type { SparseCode } from "./tensor/sparse-code.ts";
export type { PlantedLatent } from "./toy-world/latent-plans.ts";
export * from "./toy-world/toy-world.ts";
