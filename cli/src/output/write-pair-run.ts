import type { HashedFile, SaeInput, SampleRecord } from "../inputs/provenance.ts";
import { inputRecord } from "../inputs/sae-record.ts";
import type { OutputFolder } from "./output-folder.ts";
import { type RunRecord, writeRun } from "./write-run.ts";

/** How a result about two SAEs came about, beyond its inputs. */
export interface PairCircumstances
  extends Pick<RunRecord, "commandLine" | "options" | "kernels" | "started" | "resumedAtRow"> {
  /** Files of the activations; empty when they were made in memory. */
  readonly activationFiles: readonly HashedFile[];
}

/** Write the files of a result about a smaller and a larger SAE and, when those are there, its record. */
export function writePairRun(
  folder: OutputFolder,
  files: Parameters<typeof writeRun>[1],
  {
    smaller,
    larger,
    sample,
  }: { readonly smaller: SaeInput; readonly larger: SaeInput; readonly sample: SampleRecord },
  { schema, result }: Pick<RunRecord, "schema" | "result">,
  { activationFiles, ...circumstances }: PairCircumstances,
): Promise<void> {
  return writeRun(folder, files, {
    ...circumstances,
    schema,
    inputs: {
      smaller: inputRecord(smaller),
      larger: inputRecord(larger),
      activations: { location: sample.location, files: activationFiles },
    },
    result,
  });
}
