import { formatPlan, trajectoryBiases } from "@saestitch/core";
import type { HashedFile } from "../inputs/provenance.ts";
import { inputRecord } from "../inputs/sae-record.ts";
import { announceFiles } from "../output/announce-files.ts";
import type { OutputFolder, OutputKind } from "../output/output-folder.ts";
import { parquetTable } from "../output/parquet-table.ts";
import { type RunRecord, writeRun } from "../output/write-run.ts";
import type { OutputStream } from "../terminal/output-stream.ts";
import { TRAJECTORY_SCHEMA, type TrajectoryRun, trajectorySummary } from "./trajectory-document.ts";
import { trajectoryPicture } from "./trajectory-picture.ts";

/** What a trajectory leaves in its folder. */
export const trajectoryOutput = {
  name: "trajectory",
  schema: "saestitch.trajectory-run/1",
} as const satisfies OutputKind;

/** Write plan.json, trajectory.parquet, trajectory.svg and run.json, each whole or not at all. */
export async function writeTrajectory(
  folder: OutputFolder,
  run: TrajectoryRun,
  {
    activationFiles,
    stderr,
    ...circumstances
  }: Pick<RunRecord, "commandLine" | "options" | "kernels" | "started"> & {
    readonly activationFiles: readonly HashedFile[];
    readonly stderr: OutputStream;
  },
): Promise<void> {
  const files = {
    "plan.json": formatPlan(run.plan),
    "trajectory.parquet": trajectoryParquet(run),
    "trajectory.svg": trajectoryPicture(run),
  };
  await writeRun(folder, files, {
    ...circumstances,
    schema: trajectoryOutput.schema,
    inputs: {
      smaller: inputRecord(run.smaller),
      larger: inputRecord(run.larger),
      activations: { location: run.sample.location, files: activationFiles },
    },
    result: trajectorySummary(run),
  });
  announceFiles(stderr, folder, Object.keys(files));
}

/** A row for the smaller SAE, and one after every step. */
function trajectoryParquet({ plan, trajectory: { path } }: TrajectoryRun): Uint8Array {
  return parquetTable(TRAJECTORY_SCHEMA, [
    { name: "step", type: "INT32", data: [...path.mse.keys()] },
    { name: "note", type: "STRING", data: [null, ...plan.steps.map(({ note }) => note ?? null)] },
    { name: "latents", type: "INT32", data: path.latents },
    { name: "removed", type: "INT32", data: path.removed },
    { name: "inserted", type: "INT32", data: path.inserted },
    { name: "l0", type: "DOUBLE", data: path.l0 },
    { name: "mse", type: "DOUBLE", data: path.mse },
    { name: "deltaMse", type: "DOUBLE", data: path.deltaMse },
    { name: "varianceExplained", type: "DOUBLE", data: path.varianceExplained },
    ...trajectoryBiases.map((bias) => ({
      name: `mse_${bias}`,
      type: "DOUBLE" as const,
      data: path.mseBy[bias],
    })),
  ]);
}
