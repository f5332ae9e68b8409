import {
  codeSample,
  defaultLabelOptions,
  label,
  makeToyWorld,
  measureTrajectory,
  plannedSae,
  planTrajectory,
  type Sae,
  stitchLatents,
  type ToyWorld,
  trajectory,
} from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { defineCommand } from "../arguments/command.ts";
import { flag, text, wholeNumber } from "../arguments/option.ts";
import { labelDocument } from "../labelling/label-document.ts";
import { labelReport } from "../labelling/label-report.ts";
import type { LabelRun } from "../labelling/label-run.ts";
import { compareWithTruth, correctnessTable } from "../labelling/planted-truth.ts";
import { labelOutput, writeLabelRun } from "../labelling/write-label-run.ts";
import { announceFiles } from "../output/announce-files.ts";
import { openOutputFolder } from "../output/output-folder.ts";
import { type StitchRun, stitchSummary } from "../stitching/stitch-document.ts";
import { comparisonSection } from "../stitching/stitch-report.ts";
import { formatFixed } from "../terminal/format-number.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { progressMode, startProgress } from "../terminal/progress.ts";
import { section } from "../terminal/section.ts";
import { styleFor } from "../terminal/style.ts";
import { type TrajectoryRun, trajectorySummary } from "../trajectory/trajectory-document.ts";
import { waySections } from "../trajectory/trajectory-report.ts";

export const demo = defineCommand({
  description:
    "Makes activations out of features that are known, and two SAEs of which the larger knows more of them: some of its latents are novel, " +
    "the others copies, splits or absorbing versions of what the smaller has. Labels them from the activations alone, and compares with the truth; walks from the " +
    "smaller SAE to the larger; and builds Frankenstein's SAE of a size between them, against its rivals. Needs no files.",
  operands: [],
  options: {
    seed: wholeNumber("N", 0, 1, "Seed of the world"),
    out: text("DIR", "Write latents.parquet, run.json and label.svg into this folder, as label does"),
    force: flag("Replace a finished labelling in --out"),
    json: flag(
      "Print the document of label --json, with the truth, the comparison, and the summaries of trajectory and stitch beside it",
    ),
    threads: wholeNumber("N", 1, undefined, "Worker threads (default one per processor)"),
    quiet: flag("Show no progress"),
  },
  examples: [
    { does: "See the main jobs at work, in seconds", command: "demo" },
    { does: "Another world, its picture and its table of latents kept", command: "demo --seed 7 --out demo" },
  ],

  async run(_, options, context) {
    const { seed, out, force, json, threads } = options;
    const started = new Date();
    const begun = performance.now();
    const folder = out === undefined ? undefined : await openOutputFolder(out, labelOutput, { force });
    const world = makeToyWorld({ seed });
    const kernels = await openKernels(threads === undefined ? {} : { threads });
    const { stdout, stderr } = context;
    const rows = world.source.rows;
    const progress = startProgress(
      stderr,
      { label: "demo", unit: "rows", total: 4 * rows + stitchedRows(rows) },
      { mode: progressMode(stderr, options) },
    );
    try {
      const labels = await label(world.smaller, world.larger, world.source, kernels, {
        onBatch: progress.update,
      });
      const run: LabelRun = {
        smaller: madeInMemory(world.smaller),
        larger: madeInMemory(world.larger),
        sample: { location: world.source.location, rows, excludedTokens: [] },
        labels,
      };
      const moved = await moveLatents(world, run, kernels, (done) => progress.update(rows + done));
      progress.end();
      const seconds = (performance.now() - begun) / 1000;
      const correctness = compareWithTruth(world.truth, labels.latents.verdict);
      if (folder !== undefined) {
        await folder.begin();
        await context.interruption.during(() =>
          writeLabelRun(folder, run, {
            commandLine: context.commandLine,
            options: { ...defaultLabelOptions, worldSeed: seed },
            activationFiles: [],
            kernels: kernels.name,
            started,
            resumedAtRow: 0,
          }),
        );
      }
      if (json) {
        const document = {
          ...labelDocument(run),
          truth: world.truth,
          correctness,
          trajectory: trajectorySummary(moved.way),
          stitch: stitchSummary(moved.stitched),
        };
        await writeAll(stdout, `${JSON.stringify(document)}\n`);
        return;
      }
      const layout = { width: layoutWidth(stdout), style: styleFor(stdout) };
      const report = [
        labelReport(run, layout),
        section("How right that is", "", correctnessTable(correctness), layout.style),
        ...waySections(trajectorySummary(moved.way), layout),
        comparisonSection(stitchSummary(moved.stitched), layout),
      ];
      await writeAll(stdout, `${report.join("\n")}\n${formatFixed(seconds, 1)} s, ${kernels.name}\n`);
      if (folder !== undefined) announceFiles(stderr, folder, ["latents.parquet", "label.svg"]);
    } finally {
      progress.end();
      await kernels.close();
    }
  },
});

/** Walk from the smaller SAE of the world to the larger, and stitch one of a size and an L0 between theirs. */
async function moveLatents(
  { smaller, larger, source }: ToyWorld,
  run: LabelRun,
  kernels: Parameters<typeof measureTrajectory>[2],
  onRows: (done: number) => void,
): Promise<{ readonly way: TrajectoryRun; readonly stitched: StitchRun }> {
  const coded = codeSample([smaller, larger], source, kernels);
  const pair = { smaller: plannedSae(smaller), larger: plannedSae(larger) };
  const plan = await planTrajectory(coded, pair, kernels, { order: "gain", onRows });
  const sums = await measureTrajectory(coded, plan.steps, kernels, {
    onRows: (rows) => onRows(2 * source.rows + rows),
  });
  const way = { ...run, plan, trajectory: trajectory({ smaller, larger, steps: plan.steps }, sums) };
  const { labels } = run;
  const budget = {
    latents: Math.round((smaller.decoder.rows + larger.decoder.rows) / 2),
    l0: (labels.smaller.l0 + labels.larger.l0) / 2,
  };
  const part = codeSample([smaller, larger], source, kernels, { end: stitchedRows(source.rows) });
  const stitched = await stitchLatents(part, kernels, { ...budget, decoder: "refit" }, ({ phase, done }) => {
    if (phase === "read") onRows(3 * source.rows + done);
  });
  const saes = [run.smaller, run.larger];
  return { way, stitched: { ...run, saes, candidates: 2, budget, thresholdForms: [], stitched } };
}

/** Rows that latents are chosen and rivals measured on: choosing takes longest, and a third of the sample tells the rivals apart. */
function stitchedRows(rows: number): number {
  return Math.ceil(rows / 3);
}

function madeInMemory(sae: Sae) {
  return { sae, location: sae.origin.location ?? "made in memory", files: [], hash: null };
}
