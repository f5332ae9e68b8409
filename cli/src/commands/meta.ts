import { defineCommand } from "../arguments/command.ts";
import type { Context } from "../context.ts";
import { announceWarnings } from "../inputs/open-inputs.ts";
import { type OpenedSaes, withSaes } from "../inputs/with-saes.ts";
import { makeMeta } from "../meta/make-meta.ts";
import { META_SCHEMA, metaDocument } from "../meta/meta-document.ts";
import { type MetaOptions, metaOptions } from "../meta/meta-options.ts";
import { metaReport } from "../meta/meta-report.ts";
import { checkEqualWidth, checkMetaOptions, planMeta, withDirections } from "../meta/plan-meta.ts";
import { META_RECORD, writeMeta } from "../meta/write-meta.ts";
import { checkReplaceable } from "../output/replace-folder.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";

export const meta = defineCommand({
  description:
    "Trains a meta-SAE: an SAE on the directions of the latents of another, which writes each latent as a sum of a few meta-latents. No activations are needed. " +
    "Says how much of the directions it explains, beside how much the same training explains of random ones; with --compare also " +
    "whether its meta-latents are the latents of a smaller SAE, and whether sparse regression on those does as well.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [{ name: "larger", help: "the SAE whose latents are decomposed" }],
  options: metaOptions,
  examples: [
    { does: "Meta-latents of an SAE", command: "meta sae-2048 --latents 128 --out meta" },
    {
      does: "Are they the latents of a smaller SAE?",
      command: "meta sae-2048 --latents 256 --compare sae-256 --out meta",
    },
    {
      does: "The settings of SAEBench, whose figure is the variance explained",
      command: "meta sae-2048 --recipe saebench --no-null --out meta --json",
    },
  ],

  async run([larger], options, context) {
    checkMetaOptions(options);
    const { out, force, compare } = options;
    await checkReplaceable(out, { record: META_RECORD, schema: META_SCHEMA, force });
    const addresses = compare === undefined ? [larger] : [larger, compare];
    await withSaes(addresses, options, context, (opened) => metaSae(opened, options, context));
  },
});

async function metaSae(
  { saes, kernels, startProgress }: OpenedSaes,
  options: MetaOptions,
  context: Context,
): Promise<void> {
  const started = new Date();
  const { recipe, seed, out, json, compare = null, "no-null": noNull } = options;
  announceWarnings(saes, context.stderr);
  const [larger, smaller] = saes;
  if (smaller !== undefined) {
    checkEqualWidth(larger, smaller);
    if (smaller.sae.decoder.rows > larger.sae.decoder.rows)
      context.stderr.write(
        `warning: the SAE to compare with has more latents than the one that is decomposed (${smaller.sae.decoder.rows} and ${larger.sae.decoder.rows}); did you mean to swap them?\n`,
      );
  }
  const largerDirections = withDirections(larger);
  const training = planMeta(options, largerDirections.unit);
  const plan = {
    larger: largerDirections,
    smaller: smaller === undefined ? null : withDirections(smaller),
    recipe,
    training,
    withNull: !noNull,
  };
  const run = await context.interruption.during(async (signal) => {
    const made = await makeMeta(plan, { kernels, startProgress, signal });
    const { architecture, latents, steps } = training.options;
    await writeMeta(
      out,
      made,
      {
        commandLine: context.commandLine,
        options: { recipe, latents, k: architecture.k, steps, compare, noNull, seed },
        kernels: kernels.name,
        started,
      },
      context.stderr,
    );
    return made;
  });
  const text = json
    ? `${JSON.stringify(metaDocument(run))}\n`
    : metaReport(run, { width: layoutWidth(context.stdout), style: styleFor(context.stdout) });
  await writeAll(context.stdout, text);
}
