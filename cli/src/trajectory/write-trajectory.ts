import { formatPlan, trajectoryBiases } from "@saestitch/core";
import type { OutputFolder, OutputKind } from "../output/output-folder.ts";
import { parquetTable } from "../output/parquet-table.ts";
import { type PairCircumstances, writePairRun } from "../output/write-pair-run.ts";
import { TRAJECTORY_SCHEMA, type TrajectoryRun, trajectorySummary } from "./trajectory-document.ts";
import { trajectoryPicture } from "./trajectory-picture.ts";

/** What a trajectory leaves in its folder. */
export const trajectoryOutput = {
  name: "trajectory",
  schema: "saestitch.trajectory-run/1",
} as const satisfies OutputKind;

/** Write plan.json, trajectory.parquet, trajectory.svg and run.json, each whole or not at all; the names of all but the last. */
export async function writeTrajectory(
  folder: OutputFolder,
  run: TrajectoryRun,
  circumstances: PairCircumstances,
): Promise<readonly string[]> {
  const files = {
    "plan.json": formatPlan(run.plan),
    "trajectory.parquet": trajectoryParquet(run),
    "trajectory.svg": trajectoryPicture(run),
  };
  const record = { schema: trajectoryOutput.schema, result: trajectorySummary(run) };
  await writePairRun(folder, files, run, record, circumstances);
  return Object.keys(files);
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
