import { defineCommand } from "../arguments/command.ts";
import { repeatable, required, text, wholeNumber, wholeNumbers } from "../arguments/option.ts";
import { announceWarnings } from "../inputs/open-inputs.ts";
import { readingOptions } from "../inputs/sample-options.ts";
import { withSaes } from "../inputs/with-saes.ts";
import { type DecompositionRun, decompositionDocument } from "../meta/decompose-document.ts";
import { decomposeLatents } from "../meta/decompose-latents.ts";
import { decompositionReport } from "../meta/decompose-report.ts";
import { checkMetaRecord } from "../meta/meta-record.ts";
import { checkEqualWidth, withDirections } from "../meta/plan-meta.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";

const { threads, json, quiet } = readingOptions;

const options = {
  meta: required(text("META", "The meta-SAE, as saestitch meta wrote it")),
  latent: required(
    repeatable(
      wholeNumbers("N,…", 0, "Latents to decompose, separated by commas; may be given several times"),
    ),
  ),
  top: wholeNumber("N", 1, 5, "How many other latents to show of each meta-latent, and near each latent"),
  compare: text("SAE", "Show also the nearest latents of this smaller SAE"),
  threads,
  json,
  quiet,
} as const;

export const decompose = defineCommand({
  description:
    "Shows which meta-latents a latent is a sum of, how strongly, and how much of its direction they explain; of each meta-latent the " +
    "other latents it is in, and the latent with the nearest direction; and the latents nearest to the latent itself.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [{ name: "larger", help: "the SAE that the meta-SAE was trained on" }],
  options,
  examples: [
    { does: "What is latent 1329 made of?", command: "decompose sae-2048 --meta meta --latent 1329" },
    {
      does: "Several latents, beside those of a smaller SAE",
      command: "decompose sae-2048 --meta meta --latent 17,1329 --compare sae-256",
    },
  ],

  async run([address], options, context) {
    const { meta: metaAddress, latent, top, compare } = options;
    const addresses = [address, metaAddress, ...(compare === undefined ? [] : [compare])];
    await withSaes(addresses, options, context, async ({ saes, kernels }) => {
      const [larger, meta, smaller] = saes;
      // What a meta-SAE warns of is that it reads directions, as it does here.
      announceWarnings(smaller === undefined ? [larger] : [larger, smaller], context.stderr);
      checkEqualWidth(larger, meta);
      if (smaller !== undefined) checkEqualWidth(larger, smaller);
      await checkMetaRecord(metaAddress, meta, larger, context.stderr);
      const directions = {
        larger: withDirections(larger),
        smaller: smaller === undefined ? null : withDirections(smaller),
      };
      const run: DecompositionRun = {
        larger,
        meta,
        smaller: smaller ?? null,
        latents: await decomposeLatents(latent, { ...directions, meta }, kernels, { top }),
      };
      const { stdout } = context;
      const text = options.json
        ? `${JSON.stringify(decompositionDocument(run))}\n`
        : decompositionReport(run, { width: layoutWidth(stdout), style: styleFor(stdout) });
      await writeAll(stdout, text);
    });
  },
});
