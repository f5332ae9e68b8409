export type { ActivationBatch, ActivationSource } from "./activations/activation-source.ts";
export { openArrowCache } from "./activations/arrow-cache.ts";
export { type BatchOptions, batchRanges, resolveBatchOptions } from "./activations/batch-range.ts";
export { excludeTokens, findBosToken, nonFiniteRows } from "./activations/exclusion.ts";
export { activationsInMemory } from "./activations/in-memory.ts";
export { mapBatches } from "./activations/map-batches.ts";
export { openShards } from "./activations/shards.ts";
export { usableRows } from "./activations/usable-rows.ts";
export type { CodePrecision } from "./codes/code-file.ts";
export { codeSample, stretchRows } from "./codes/code-sample.ts";
export type { CodeStore, Stretch } from "./codes/code-store.ts";
export type { CodedBatch, CodedSample, ResidualReading } from "./codes/coded-sample.ts";
export { memoryCodeStore } from "./codes/memory-code-store.ts";
export * from "./errors.ts";

export type { ByteSource } from "./formats/byte-source.ts";
export { bytesSource } from "./formats/bytes-source.ts";
export { encodeSafetensors } from "./formats/encode-safetensors.ts";
export { describe as describeValue, describeNames, parseJsonObject } from "./formats/json.ts";
export { openSafetensors, type Safetensors } from "./formats/safetensors.ts";
export type { TensorToWrite, ValuePieces } from "./formats/tensor-to-write.ts";
export type { Comparison, Refit, RivalCurve, RivalRow } from "./frankenstein/compare-contenders.ts";
export type { Method, Omission } from "./frankenstein/contenders.ts";
export type { Dictionary } from "./frankenstein/dictionary.ts";
export { DictionaryFit } from "./frankenstein/dictionary-fit.ts";
export type { HalvesCounts } from "./frankenstein/document-halves.ts";
export {
  type GreedyOptions,
  type GreedyProgress,
  type GreedyReport,
  selectGreedily,
} from "./frankenstein/greedy-selection.ts";
export type { PooledTokens } from "./frankenstein/half-sample.ts";
export type { LatentEvidence } from "./frankenstein/latent-evidence.ts";
export { type LatentPool, poolLatents, whose } from "./frankenstein/latent-pool.ts";
export { mergeDictionary } from "./frankenstein/merge-dictionary.ts";
export type { FoundSelection, Start, Trial } from "./frankenstein/search-selection.ts";
export {
  type Stitched,
  type StitchOptions,
  type StitchProgress,
  stitchLatents,
} from "./frankenstein/stitch-latents.ts";
export { openBrowserKernels } from "./kernels/browser-kernels.ts";
export type { Kernels, Matches, Selection } from "./kernels/kernels.ts";
export { referenceKernels } from "./kernels/reference-kernels.ts";
export { createWasmKernels } from "./kernels/wasm-kernels.ts";
export { type Gpu, type GpuDevice, requestGpuDevice } from "./kernels/webgpu-device.ts";
export { createWebGpuKernels } from "./kernels/webgpu-kernels.ts";
export type { Agreement } from "./labelling/agreement-sums.ts";
export type { CosineNull, CosinePredictor } from "./labelling/cosine-predictor.ts";
export { PUBLISHED_COSINE_THRESHOLD } from "./labelling/cosine-predictor.ts";
export type { Gating } from "./labelling/gating.ts";
export type { BiasRule } from "./labelling/insertion-effect.ts";
export {
  checkLabelOptions,
  defaultLabelOptions,
  type LabelOptions,
  type Labels,
  type LatentColumns,
  label,
  labelLatents,
  pairSaes,
} from "./labelling/label.ts";
export { type LabelSums, mergeLabelSums } from "./labelling/label-sums.ts";
export { decodeLabelSums, encodeLabelSums } from "./labelling/label-sums-file.ts";
export { checkWidths, emptyLabelSums, measureInsertion, type Pair } from "./labelling/measure-insertion.ts";
export { type Effect, type Verdict, verdicts } from "./labelling/verdict.ts";
export { columnSums } from "./linalg/norm.ts";
export { normal, type Random, randomDirection, seededRandom } from "./linalg/random.ts";
export {
  compareMetaSae,
  comparisonParts,
  explainRandomDirections,
  type MetaComparison,
  type Replacement,
} from "./meta-sae/compare-meta-sae.ts";
export { decompose, explainDirections, type Part, strongestParts } from "./meta-sae/decompose.ts";
export { type DirectionFit, directionFit } from "./meta-sae/direction-fit.ts";
export {
  type MetaRecipe,
  type MetaRecipeName,
  type MetaTraining,
  metaRecipes,
  metaTraining,
} from "./meta-sae/meta-recipe.ts";
export { trainMetaSae } from "./meta-sae/train-meta-sae.ts";
export { directionRow, type UnitDirections, unitDirections } from "./meta-sae/unit-directions.ts";
export {
  type MeasuredReconstruction,
  measureReconstruction,
  measureReconstructions,
  type ReconstructionOptions,
} from "./metrics/measure-reconstruction.ts";
export * from "./metrics/reconstruction.ts";
export * from "./metrics/recovered-directions.ts";
export { nearestName, nearestNames } from "./nearest-name.ts";
export { checkComparable } from "./sae/comparable.ts";
export type { Dialect, SaeFiles } from "./sae/dialects/dialect.ts";
export { type Config, configOf } from "./sae/dialects/read-config.ts";
export type { SaeFileToWrite, SaeWriter } from "./sae/dialects/writer.ts";
export { saeWriters } from "./sae/dialects/writers.ts";
export { type Encoding, encode, reconstruct, residual } from "./sae/encode.ts";
export { foldDecoderNorms, foldInputBias, foldInputScale } from "./sae/fold.ts";
export { type ChosenLatent, type MergeOptions, mergeSaes } from "./sae/merge.ts";
export { openSae } from "./sae/open-sae.ts";
export type { Activation, Fold, Normalization, Sae, SaeOrigin } from "./sae/sae.ts";
export { toThresholdForm } from "./sae/threshold-form.ts";
export { type TopkThreshold, topkThreshold } from "./sae/topk-threshold.ts";
export { normalQuantile, normalTail } from "./statistics/normal.ts";
export type { EdgeEvidence } from "./swapping/edge-evidence.ts";
export { arrangeExchange, checkSwaps, type Exchange, exchangedCode, type Swap } from "./swapping/exchange.ts";
export type { Edge, Family } from "./swapping/families.ts";
export type { FamilySizes } from "./swapping/family-sizes.ts";
export type { FamilySwaps } from "./swapping/family-swaps.ts";
export { defaultKindOptions, type KindOptions } from "./swapping/kind-options.ts";
export {
  type LatentKind,
  type LatentKindName,
  latentKindNames,
  type Parent,
} from "./swapping/latent-kinds.ts";
export { makePlan, type PlanOrder } from "./swapping/make-plan.ts";
export {
  type CosineFamilies,
  cosineFamilies,
  defaultFamilyOptions,
  type FamilyOptions,
  type FamilyReport,
  type FamilyRule,
  measureFamilies,
} from "./swapping/measure-families.ts";
export { type Plan, type PlannedPair, type PlannedSae, type PlanStep, plannedSae } from "./swapping/plan.ts";
export { planTrajectory } from "./swapping/plan-trajectory.ts";
export { formatPlan, parsePlan } from "./swapping/read-plan.ts";
export * from "./swapping/trajectory.ts";
export {
  decoderBiasAt,
  type TrajectoryBias,
  trajectoryBiases,
  type Walk,
} from "./swapping/trajectory-bias.ts";
export { measureTrajectory } from "./swapping/trajectory-measure.ts";
export { emptyTrajectorySums, mergeTrajectorySums, type TrajectorySums } from "./swapping/trajectory-sums.ts";
export { encode as encodeElements, toFloat32 } from "./tensor/dtype.ts";
export { type Matrix, matrix, row, rowRange, zeros } from "./tensor/matrix.ts";
export { recycle } from "./tensor/shared.ts";
export type { SparseCode } from "./tensor/sparse-code.ts";
export { splitColumns } from "./tensor/split-columns.ts";
export { transposeCode } from "./tensor/transpose-code.ts";
export { type ComposedDirections, composedDirections } from "./toy-world/composed-directions.ts";
export type { PlantedLatent } from "./toy-world/latent-plans.ts";
export * from "./toy-world/toy-world.ts";
export * from "./toy-world/training-world.ts";
export type { Architecture } from "./training/architecture.ts";
export { decodeTraining, encodeTraining, type TrainingSettings } from "./training/checkpoint.ts";
export { defaultTrainingData, defaultTrainingOptions } from "./training/default-options.ts";
export * from "./training/divergence-error.ts";
export { residualActivations } from "./training/residual-activations.ts";
export { startTraining, trainSteps } from "./training/train.ts";
export { trainedSae } from "./training/trained-sae.ts";
export type { TrainingOptions } from "./training/training-options.ts";
export type { StepReport, TrainingData, TrainingRun } from "./training/training-run.ts";
export type { Parameter, TrainingState } from "./training/training-state.ts";
