import {
  DataError,
  decodeTraining,
  encodeTraining,
  type TrainingRun,
  type TrainingSettings,
} from "@saestitch/core";
import { openFile, writeAtomically } from "@saestitch/core/node";
import { UserError } from "../failure.ts";

/** Store a run as it is. Throws DivergenceError, and leaves an earlier checkpoint alone, when its weights are not finite. */
export async function writeCheckpoint(
  path: string,
  run: TrainingRun,
  sample: TrainingSettings["sample"],
): Promise<void> {
  await writeAtomically(path, encodeTraining(run, sample));
}

/** The run stored at `path`, of activations of width `d`. Throws {@link UserError} that says what differs when it is of other settings. */
export async function readCheckpoint(
  path: string,
  wanted: TrainingSettings,
  d: number,
): Promise<TrainingRun> {
  const file = await openFile(path);
  try {
    return await decodeTraining(file, wanted, d);
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    throw new UserError(
      `${cause.message}. Give what was given then, or --force instead of --resume to begin anew`,
      { cause },
    );
  } finally {
    await file.close();
  }
}
