import { defaultLabelOptions, makeTrainingWorld } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { defineCommand } from "../arguments/command.ts";
import { flag, text, wholeNumber } from "../arguments/option.ts";
import { decomposedSection, decomposeWorld } from "../demo/decompose-world.ts";
import { DEMO_SCHEMA, type DemoDocument, pairRecord } from "../demo/demo-document.ts";
import { labelTrainedPairs, trainedPairsSection } from "../demo/label-trained-pairs.ts";
import { stitchTo, walk } from "../demo/move-latents.ts";
import { labelPlantedPair, plantedPairSection } from "../demo/planted-pair.ts";
import { trainedFamilySections, trainOnWorld } from "../demo/train-on-world.ts";
import { labelReport } from "../labelling/label-report.ts";
import { labelOutput, writeLabelRun } from "../labelling/write-label-run.ts";
import { announceFiles } from "../output/announce-files.ts";
import { openOutputFolder } from "../output/output-folder.ts";
import { stitchSummary } from "../stitching/stitch-document.ts";
import { comparisonSection } from "../stitching/stitch-report.ts";
import { formatFixed } from "../terminal/format-number.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { progressMode, type StartProgress, startProgress } from "../terminal/progress.ts";
import { styleFor } from "../terminal/style.ts";
import { trajectorySummary } from "../trajectory/trajectory-document.ts";
import { waySections } from "../trajectory/trajectory-report.ts";

export const demo = defineCommand({
  description:
    "Makes activations out of features that are known, some far more frequent than others, and trains three SAEs on them; says which features each of them found, " +
    "labels each larger one's latents from the activations alone, and compares with the truth. Walks from one of them to the next, and builds the middle one anew out of the others, " +
    "beside its rivals; and takes planted sums of directions apart with a meta-SAE. Does the labelling first with two SAEs that are planted, where every latent's verdict is known: novel, or a copy, split or absorbing version. Needs no files.",
  operands: [],
  options: {
    seed: wholeNumber("N", 0, 1, "Seed of the worlds and of the training"),
    out: text("DIR", "Write latents.parquet, run.json and label.svg of the two largest into this folder"),
    force: flag("Replace a finished labelling in --out"),
    json: flag("Print one document: truth, training, labels, comparison, trajectory, stitch, decomposition"),
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
    const kernels = await openKernels(threads === undefined ? {} : { threads });
    const { stdout, stderr } = context;
    const mode = progressMode(stderr, options);
    const show: StartProgress = (work) => startProgress(stderr, work, { mode });
    try {
      const planted = await labelPlantedPair(seed, kernels, show);
      const world = await makeTrainingWorld({ seed });
      const { saes, record: trained } = await trainOnWorld(world, seed, kernels, show);
      const pairs = await labelTrainedPairs(saes, world, kernels, show);
      const { run } = pairs[pairs.length - 1];
      const pairRecords = pairs.map(pairRecord);
      const way = trajectorySummary(await walk(run, world, kernels, show));
      const middle = { sae: saes[1], l0: trained.saes[1].l0 };
      const stitched = stitchSummary(await stitchTo(middle, [saes[0], saes[2]], world, kernels, show));
      const decomposed = await decomposeWorld(seed, kernels, show);
      const seconds = (performance.now() - begun) / 1000;
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
        const document: DemoDocument = {
          schema: DEMO_SCHEMA,
          seed,
          planted,
          trained,
          pairs: pairRecords,
          trajectory: way,
          stitch: stitched,
          decomposed,
        };
        await writeAll(stdout, `${JSON.stringify(document)}\n`);
        return;
      }
      const layout = { width: layoutWidth(stdout), style: styleFor(stdout) };
      const report = [
        plantedPairSection(planted, layout.style),
        ...trainedFamilySections(trained, layout),
        trainedPairsSection(pairRecords, layout),
        labelReport(run, layout),
        ...waySections(way, layout),
        comparisonSection(stitched, layout),
        decomposedSection(decomposed, layout.style),
      ];
      await writeAll(stdout, `${report.join("\n")}\n${formatFixed(seconds, 1)} s, ${kernels.name}\n`);
      if (folder !== undefined) announceFiles(stderr, folder, ["latents.parquet", "label.svg"]);
    } finally {
      await kernels.close();
    }
  },
});
