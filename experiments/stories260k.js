import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { codeSample, excludeTokens, plannedSae } from "@saestitch/core";
import { openActivations, openKernels, readSae } from "@saestitch/core/node";

/** Latents of the trained family of SAEs. */
export const sizes = [128, 256, 512, 1024, 2048];

/** Each size with the next. */
export const neighbours = sizes.slice(1).map((larger, i) => [sizes[i], larger]);

/**
 * The family of SAEs and the sample of activations that all experiments use, in the folder that SAESTITCH_DATA names
 * (by default ../shared/data beside the project). Codes are kept in memory and made once.
 */
export async function openFamily() {
  const folder = join(resolve(process.env.SAESTITCH_DATA ?? "../shared/data"), "stories260k");
  if (!existsSync(folder)) throw new Error(`No data in ${folder}; SAESTITCH_DATA names its parent`);
  const kernels = await openKernels();
  const activations = await openActivations(join(folder, "activations"));
  const source = excludeTokens(activations, [1]);
  const saes = new Map();
  for (const size of sizes)
    saes.set(size, await readSae(join(folder, "saes", `blocks.2.hook_resid_post_${size}`)));
  return {
    kernels,
    source,
    sae: (size) => saes.get(size),
    coded: (...of) =>
      codeSample(
        of.map((size) => saes.get(size)),
        source,
        kernels,
      ),
    pair: ([smaller, larger]) => ({
      smaller: plannedSae(saes.get(smaller)),
      larger: plannedSae(saes.get(larger)),
    }),
    close: () => Promise.all([kernels.close(), activations.close()]),
  };
}

/** Print a table as Markdown. */
export function printTable(headings, rows) {
  const lines = [headings, headings.map(() => "---"), ...rows];
  console.log(lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n"));
}

/** A share in per cent. */
export const percent = (share, decimals = 0) => `${(100 * share).toFixed(decimals)} %`;
