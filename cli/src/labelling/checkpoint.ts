import {
  type ByteSource,
  decodeLabelSums,
  encodeLabelSums,
  type LabelSums,
  openSafetensors,
  type Pair,
} from "@saestitch/core";
import { openFile, writeAtomically } from "@saestitch/core/node";
import { UserError } from "../failure.ts";
import { hashOfHashes } from "../inputs/hash-source.ts";
import type { HashedFile, SaeInput } from "../inputs/provenance.ts";
import { saestitchVersion } from "../version.ts";

/** What was measured, in texts: two measurements with equal keys can be continued by one another. */
export type CheckpointKey = Readonly<Record<string, string>>;

/** Options that sums depend on; what only turns sums into labels may change between a run and its resumption. */
export interface MeasuredOptions {
  readonly gating: string;
  readonly rows: number;
  readonly column: string | null;
  readonly excludeTokens: readonly number[];
  readonly skipNonFinite: boolean;
  readonly activationScale: number | null;
  readonly batchRows: number;
}

/** The key of a measurement: this version, the bytes read, and the options that sums depend on. */
export function checkpointKey({
  smaller,
  larger,
  activationFiles,
  options: { gating, rows, column, excludeTokens, skipNonFinite, activationScale, batchRows },
}: {
  readonly smaller: SaeInput;
  readonly larger: SaeInput;
  readonly activationFiles: readonly HashedFile[];
  readonly options: MeasuredOptions;
}): CheckpointKey {
  const options = { gating, rows, column, excludeTokens, skipNonFinite, activationScale, batchRows };
  return {
    ...Object.fromEntries(Object.entries(options).map(([name, value]) => [name, JSON.stringify(value)])),
    version: saestitchVersion,
    smaller: String(smaller.hash),
    larger: String(larger.hash),
    activations: hashOfHashes(activationFiles),
  };
}

/** Store what was measured so far. */
export function writeCheckpoint(path: string, sums: LabelSums, key: CheckpointKey): Promise<void> {
  return writeAtomically(path, encodeLabelSums(sums, key));
}

/** What was stored for this pair. Throws {@link UserError} that says what differs when it was measured under another key. */
export async function readCheckpoint(path: string, pair: Pair, key: CheckpointKey): Promise<LabelSums> {
  const file = await openFile(path);
  try {
    await checkKey(file, path, key);
    return (await decodeLabelSums(file, pair)).sums;
  } finally {
    await file.close();
  }
}

async function checkKey(file: ByteSource, path: string, key: CheckpointKey): Promise<void> {
  const stored = (await openSafetensors(file)).metadata;
  const different = Object.keys(key).filter((name) => stored[name] !== key[name]);
  if (different.length === 0) return;
  const differences = different.map(
    (name) => `${name} was ${stored[name] ?? "not stored"}, now ${key[name]}`,
  );
  throw new UserError(
    `Cannot resume from ${path}, which measured something else: ${differences.join("; ")}. Give what was given then, or --force instead of --resume to begin anew`,
  );
}
