import type { CaptureManifest } from "@saestitch/models";

/** What `capture --json` prints: what `capture.json` says, and what was taken from SAEs' files. */
export interface CaptureDocument extends CaptureManifest {
  /** The folder. */
  readonly out: string;
  /** In words: what was taken from an SAE's file, what was given, what was chosen by default. */
  readonly remarks: readonly string[];
  /** Tokens captured by this call, of all that are there. */
  readonly capturedNow: number;
  /** Time that took. */
  readonly seconds: number;
}
