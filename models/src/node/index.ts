export {
  type CaptureFolderOptions,
  type CaptureInputs,
  captureToFolder,
  readCapture,
} from "./capture-folder.ts";
export type { EngineOptions } from "./local-engine.ts";
export { devices } from "./local-engine.ts";
export { type ModelOptions, type OpenedModel, openModel } from "./open-model.ts";
export { type OpenTextOptions, openText } from "./open-text.ts";
export { type OpenedTokenizer, openTokenizer, openTokenizerAt } from "./open-tokenizer.ts";
