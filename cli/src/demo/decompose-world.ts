import {
  composedDirections,
  type DirectionFit,
  decompose,
  explainDirections,
  explainRandomDirections,
  type Kernels,
  metaRecipes,
  metaTraining,
  RECOVERED_COSINE,
  recoveredDirections,
  trainMetaSae,
} from "@saestitch/core";
import { formatCount, formatFixed, formatShare } from "../terminal/format-number.ts";
import type { StartProgress } from "../terminal/progress.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { textTable } from "../terminal/text-table.ts";

const DIRECTIONS = 1200;
const HIDDEN = 48;
const PARTS = 3;
const STEPS = 600;

/** A meta-SAE on directions whose composition is known. */
export interface DecomposedRecord {
  readonly directions: number;
  /** Directions that those are sums of. */
  readonly hidden: number;
  /** How many of them each is a sum of. */
  readonly parts: number;
  readonly metaSae: DirectionFit;
  /** A meta-SAE trained alike on random directions. */
  readonly randomDirections: DirectionFit;
  /** Hidden directions that some meta-latent has a cosine above 0.9 to. */
  readonly found: number;
  /** Of the parts that decompositions name, the share that is right. */
  readonly precision: number;
  /** Of the true parts, the share that decompositions name. */
  readonly recall: number;
}

/** Plant directions that are sums of hidden ones, take them apart with a meta-SAE, and see whether it finds what they are made of. */
export async function decomposeWorld(
  seed: number,
  kernels: Kernels,
  startProgress: StartProgress,
): Promise<DecomposedRecord> {
  const { hidden, directions, parts } = composedDirections(seed, {
    count: DIRECTIONS,
    hidden: HIDDEN,
    d: 64,
    parts: [PARTS, PARTS],
  });
  const training = metaTraining({ ...metaRecipes.saebench, k: PARTS, steps: STEPS, rate: 3e-3 }, DIRECTIONS, {
    latents: HIDDEN,
    seed,
  });
  const progress = startProgress({ label: "taking directions apart", unit: "steps", total: 2 * STEPS });
  let steps = 0;
  const tools = { kernels, onStep: () => progress.update(++steps) };
  try {
    const metaSae = await trainMetaSae({ location: "planted sums", directions }, training, tools);
    const code = await decompose(metaSae, directions, kernels);
    const nearest = await kernels.match(metaSae.decoder, hidden, 1);
    let named = 0;
    let right = 0;
    for (let i = 0; i < DIRECTIONS; i++)
      for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
        const metaLatent = code.indices[entry];
        named++;
        if (nearest.cosines[metaLatent] > RECOVERED_COSINE && parts[i].includes(nearest.indices[metaLatent]))
          right++;
      }
    return {
      directions: DIRECTIONS,
      hidden: HIDDEN,
      parts: PARTS,
      metaSae: await explainDirections(metaSae, directions, kernels),
      randomDirections: await explainRandomDirections(directions, training, tools),
      found: (await recoveredDirections(hidden, metaSae, kernels)).recovered,
      precision: right / named,
      recall: right / (DIRECTIONS * PARTS),
    };
  } finally {
    progress.end();
  }
}

/** What the meta-SAE explains and finds. */
export function decomposedSection(record: DecomposedRecord, style: Style): string {
  const { directions, hidden, parts, metaSae, randomDirections, found, precision, recall } = record;
  return section(
    "Planted sums: does a meta-SAE take them apart?",
    `${formatCount(directions)} directions, each a sum of ${parts} of ${hidden}`,
    textTable(
      [
        { heading: "", align: "left" },
        { heading: "", align: "left" },
      ],
      [
        ["variance explained ↑", formatShare(metaSae.varianceExplained)],
        ["the same of random directions", formatShare(randomDirections.varianceExplained)],
        ["hidden directions found", `${found} of ${hidden}`],
        ["parts named", `precision ↑ ${formatFixed(precision, 3)}, recall ↑ ${formatFixed(recall, 3)}`],
      ],
    ),
    style,
  );
}
