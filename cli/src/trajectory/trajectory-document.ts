import type { Plan, Trajectory, TrajectoryBias } from "@saestitch/core";
import { trajectoryBiases } from "@saestitch/core";
import type { SaeInput, SampleRecord } from "../inputs/provenance.ts";
import { type SaeSummary, saeSummary } from "../inputs/sae-record.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";
import type { TrajectoryLosses } from "./trajectory-losses.ts";

/** Version of the document; docs/stitch-output.md describes every field. */
export const TRAJECTORY_SCHEMA = "saestitch.trajectory/1";

/** A plan, the path it takes, and what they were made from. */
export interface TrajectoryRun {
  readonly smaller: SaeInput;
  readonly larger: SaeInput;
  readonly sample: SampleRecord;
  readonly plan: Plan;
  readonly trajectory: Trajectory;
  /** Where a model was run with the stitched SAE. */
  readonly losses?: TrajectoryLosses;
}

/** What `trajectory --json` prints, except for the plan and the path. Numbers that are not defined are null. */
export interface TrajectorySummary {
  readonly schema: typeof TRAJECTORY_SCHEMA;
  readonly smaller: SaeSummary;
  readonly larger: SaeSummary;
  readonly activations: { readonly location: string; readonly rows: number };
  readonly tokens: number;
  readonly excluded: { readonly rows: number; readonly tokens: readonly number[] };
  readonly nonFinite: number;
  readonly bias: TrajectoryBias;
  readonly steps: number;
  /** The ends of the path beside the SAEs themselves. */
  readonly ends: Trajectory["ends"];
  /** Whether the error falls at every step, as was published; where it does not. */
  readonly monotone: {
    readonly holds: boolean;
    readonly rises: number;
    readonly largestStep: number | null;
    readonly largest: number | null;
    /** All rises together, as a share of the way from the first MSE to the last. */
    readonly total: number;
  };
  /** The path at the ends of the plan's phases. */
  readonly milestones: readonly Milestone[];
  readonly losses: TrajectoryLosses | null;
}

/** One row of the path. */
export interface Milestone {
  readonly name: string;
  readonly step: number;
  readonly latents: number;
  readonly l0: number;
  readonly mse: number;
  readonly varianceExplained: number | null;
}

/** The summary of a trajectory. */
export function trajectorySummary(run: TrajectoryRun): TrajectorySummary {
  const { smaller, larger, sample, plan, trajectory } = run;
  const { rises } = trajectory;
  return {
    schema: TRAJECTORY_SCHEMA,
    smaller: saeSummary(smaller, trajectory.smaller),
    larger: saeSummary(larger, trajectory.larger),
    activations: { location: sample.location, rows: sample.rows },
    tokens: trajectory.tokens,
    excluded: { rows: trajectory.excluded, tokens: sample.excludedTokens },
    nonFinite: trajectory.nonFinite,
    bias: trajectory.bias,
    steps: plan.steps.length,
    ends: trajectory.ends,
    monotone: {
      holds: rises.steps.length === 0,
      rises: rises.steps.length,
      largestStep: rises.steps.length === 0 ? null : rises.largestStep,
      largest: rises.steps.length === 0 ? null : rises.largest,
      total: rises.total,
    },
    milestones: milestonesOf(run),
    losses: run.losses ?? null,
  };
}

/** The document of `trajectory --json`: the summary, the plan and the whole path. */
export function trajectoryDocument(run: TrajectoryRun) {
  const { path } = run.trajectory;
  return {
    ...trajectorySummary(run),
    plan: run.plan,
    path: {
      latents: Array.from(path.latents),
      removed: Array.from(path.removed),
      inserted: Array.from(path.inserted),
      l0: Array.from(path.l0, finiteOrNull),
      mse: Array.from(path.mse, finiteOrNull),
      deltaMse: Array.from(path.deltaMse, finiteOrNull),
      varianceExplained: Array.from(path.varianceExplained, finiteOrNull),
      mseBy: Object.fromEntries(
        trajectoryBiases.map((bias) => [bias, Array.from(path.mseBy[bias], finiteOrNull)]),
      ),
    },
    risingSteps: Array.from(run.trajectory.rises.steps),
  };
}

/** What a step does to the dictionary: latents come, are exchanged, or go. */
export type Phase = "insertions" | "swaps" | "removals";

/** The phase that a step of the plan belongs to. */
export function phaseOf({ remove, insert }: Plan["steps"][number]): Phase {
  if (remove.length === 0) return "insertions";
  return insert.length === 0 ? "removals" : "swaps";
}

const phaseNames: Readonly<Record<Phase, string>> = {
  insertions: "insertions",
  swaps: "swaps of families",
  removals: "removals",
};

/** The beginning, the end of every run of steps of one phase (a few at most), and the end. */
function milestonesOf({ plan: { steps }, trajectory: { path } }: TrajectoryRun): Milestone[] {
  const at = (name: string, step: number): Milestone => ({
    name,
    step,
    latents: path.latents[step],
    l0: path.l0[step],
    mse: path.mse[step],
    varianceExplained: finiteOrNull(path.varianceExplained[step]),
  });
  const ends = steps.flatMap((step, k) => {
    const phase = phaseOf(step);
    const next = steps[k + 1];
    return next !== undefined && phaseOf(next) === phase ? [] : [{ phase, step: k + 1 }];
  });
  // A plan by hand may go back and forth; then only its ends are told.
  const told = ends.length <= 4 ? ends : ends.slice(-1);
  return [
    at("the smaller SAE", 0),
    ...told.map(({ phase, step }) =>
      at(ends.length <= 4 ? `after the ${phaseNames[phase]}` : "at the end", step),
    ),
  ];
}
