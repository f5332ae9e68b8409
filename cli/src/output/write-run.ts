import { createHash } from "node:crypto";
import { writeAtomically } from "@saestitch/core/node";
import type { HashedFile } from "../inputs/provenance.ts";
import { saestitchVersion } from "../version.ts";
import type { OutputFolder } from "./output-folder.ts";

/** How a result came about; docs/label-output.md describes every field. */
export interface RunRecord {
  /** The schema of the record, which says what kind of result it is of. */
  readonly schema: string;
  /** The words after the program's name. */
  readonly commandLine: readonly string[];
  readonly started: Date;
  /** Row of the sample at which this run went on from a checkpoint, 0 when it began anew. */
  readonly resumedAtRow?: number;
  /** Step of a training at which it went on from a checkpoint, 0 when it began anew. */
  readonly resumedAtStep?: number;
  /** Every option with its value, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What was read, by its role. */
  readonly inputs: Readonly<Record<string, InputRecord>>;
  /** Name of the kernels that computed. */
  readonly kernels: string;
  /** Files of the result that lie in the folder already. */
  readonly written?: readonly HashedFile[];
  /** The result in short. */
  readonly result: unknown;
}

/** One input: where it was, and its files by content; empty when it was made in memory. */
export interface InputRecord {
  readonly location: string;
  readonly hash?: string | null;
  readonly files: readonly HashedFile[];
}

/** Write the files of a result and, when those are there, its record run.json; each whole or not at all. */
export async function writeRun(
  folder: OutputFolder,
  files: Readonly<Record<string, Uint8Array | string>>,
  {
    schema,
    commandLine,
    started,
    resumedAtRow,
    resumedAtStep,
    options,
    inputs,
    kernels,
    written = [],
    result,
  }: RunRecord,
): Promise<void> {
  const outputs: HashedFile[] = [...written];
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await writeAtomically(folder.file(name), [bytes]);
    outputs.push({ name, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  const record = {
    schema,
    command: ["saestitch", ...commandLine],
    started: started.toISOString(),
    finished: new Date().toISOString(),
    ...(resumedAtRow === undefined ? {} : { resumedAtRow }),
    ...(resumedAtStep === undefined ? {} : { resumedAtStep }),
    versions: { saestitch: saestitchVersion, node: process.version, kernels },
    platform: `${process.platform} ${process.arch}`,
    options,
    inputs,
    outputs,
    result,
  };
  await writeAtomically(folder.record, [new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`)]);
}
