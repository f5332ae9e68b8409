import { defaultLabelOptions, label, makeToyWorld, type Sae } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { defineCommand } from "../arguments/command.ts";
import { flag, text, wholeNumber } from "../arguments/option.ts";
import { labelDocument } from "../labelling/label-document.ts";
import { labelReport } from "../labelling/label-report.ts";
import type { LabelRun } from "../labelling/label-run.ts";
import { openOutputFolder } from "../labelling/output-folder.ts";
import { compareWithTruth, correctnessTable } from "../labelling/planted-truth.ts";
import { writeLabelRun } from "../labelling/write-label-run.ts";
import { formatFixed } from "../terminal/format-number.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { progressMode, startProgress } from "../terminal/progress.ts";
import { styleFor } from "../terminal/style.ts";
import { indented } from "../terminal/text-table.ts";

export const demo = defineCommand({
  description:
    "Makes activations out of features that are known, and two SAEs of which the larger knows more of them: some of its latents are novel, " +
    "the others copies, splits or absorbing versions of what the smaller has. Labels them from the activations alone, and compares with the truth. Needs no files.",
  operands: [],
  options: {
    seed: wholeNumber("N", 0, 1, "Seed of the world"),
    out: text("DIR", "Write latents.parquet, run.json and label.svg into this folder, as label does"),
    force: flag("Replace a finished labelling in --out"),
    json: flag("Print the document of label --json, with the truth and the comparison beside it"),
    threads: wholeNumber("N", 1, undefined, "Worker threads (default one per processor)"),
    quiet: flag("Show no progress"),
  },
  examples: [
    { does: "See the main job at work, in seconds", command: "demo" },
    { does: "Another world, its picture and its table of latents kept", command: "demo --seed 7 --out demo" },
  ],

  async run(_, options, context) {
    const { seed, out, force, json, threads } = options;
    const started = new Date();
    const begun = performance.now();
    const folder = out === undefined ? undefined : await openOutputFolder(out, { force, resume: false });
    const world = makeToyWorld({ seed });
    const kernels = await openKernels(threads === undefined ? {} : { threads });
    const { stdout, stderr } = context;
    const progress = startProgress(
      stderr,
      { label: "labelling", unit: "rows", total: world.source.rows },
      { mode: progressMode(stderr, options) },
    );
    try {
      const labels = await label(world.smaller, world.larger, world.source, kernels, {
        onBatch: progress.update,
      });
      progress.end();
      const run: LabelRun = {
        smaller: madeInMemory(world.smaller),
        larger: madeInMemory(world.larger),
        sample: { location: world.source.location, rows: world.source.rows, excludedTokens: [] },
        labels,
      };
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
        await writeAll(
          stdout,
          `${JSON.stringify({ ...labelDocument(run), truth: world.truth, correctness })}\n`,
        );
        return;
      }
      const style = styleFor(stdout);
      const report = labelReport(run, { width: layoutWidth(stdout), style });
      const comparison = `${style.bold("How right that is")}\n${indented(correctnessTable(correctness))}\n`;
      await writeAll(stdout, `${report}\n${comparison}\n${formatFixed(seconds, 1)} s, ${kernels.name}\n`);
      if (folder !== undefined)
        stderr.write(`wrote ${folder.latents}, ${folder.picture} and ${folder.record}\n`);
    } finally {
      progress.end();
      await kernels.close();
    }
  },
});

function madeInMemory(sae: Sae) {
  return { sae, location: sae.origin.location ?? "made in memory", files: [], hash: null };
}
