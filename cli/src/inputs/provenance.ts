import type { Sae } from "@saestitch/core";

/** A file that was read, by its content. */
export interface HashedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** An SAE, where it came from and what exactly was read. */
export interface SaeInput {
  readonly sae: Sae;
  /** A path, or hf:owner/repo/path@commit. */
  readonly location: string;
  /** Empty for an SAE made in memory. */
  readonly files: readonly HashedFile[];
  /** One hash for all files, null for an SAE made in memory. */
  readonly hash: string | null;
  /** What was made of the SAE in the files, where that is another SAE: "threshold 0.25". */
  readonly variant?: string;
}

/** Which rows of a sample of activations were read, and which tokens were left out of them. */
export interface SampleRecord {
  readonly location: string;
  /** Rows read, those left out counted. */
  readonly rows: number;
  /** Ids of tokens whose rows were left out. */
  readonly excludedTokens: readonly number[];
}
