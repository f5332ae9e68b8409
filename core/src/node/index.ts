export { type OpenActivations, openActivations } from "./activation-folder.ts";
export { type FileSource, openFile } from "./file-source.ts";
export { type HubFolder, type HubOptions, openHubFolder } from "./hub.ts";
export type { HubProgress } from "./hub-download.ts";
export * from "./hub-error.ts";
export { openSaeFiles, readSae } from "./read-sae.ts";
export { openSaeFolder, type SaeFolder } from "./sae-folder.ts";
export { openKernels } from "./thread-pool.ts";
export { writeAtomically } from "./write-atomically.ts";
