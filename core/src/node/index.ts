export { type OpenActivations, openActivations } from "./activation-folder.ts";
export { openCodeFolder } from "./code-folder.ts";
export { type CodeKey, codeFolderPath } from "./code-folder-description.ts";
export { type FileSource, openFile } from "./file-source.ts";
export { type HubFolder, type HubFolderOptions, type HubOptions, openHubFolder } from "./hub.ts";
export { formatHubAddress, type HubAddress, type HubKind, parseHubAddress } from "./hub-address.ts";
export type { HubProgress } from "./hub-download.ts";
export * from "./hub-error.ts";
export {
  describeEngines,
  type Engine,
  type EngineReport,
  type KernelOptions,
  openKernels,
} from "./open-kernels.ts";
export { openSaeFiles, readSae } from "./read-sae.ts";
export { openSaeFolder, type SaeFolder } from "./sae-folder.ts";
export { tryToOpen } from "./try-to-open.ts";
export { openWebGpuDevice } from "./webgpu.ts";
export { writeAtomically } from "./write-atomically.ts";
