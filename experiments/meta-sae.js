import { compareMetaSae, metaRecipes, metaTraining, trainMetaSae, unitDirections } from "@saestitch/core";

import { openFamily, percent, printTable } from "./stories260k.js";

/** Claims: a meta-SAE explains much of a large SAE's directions, its latents resemble those of a smaller SAE, and sparse regression would do as well. */
const family = await openFamily();
const { kernels } = family;
const larger = unitDirections(family.sae(2048));
const rows = [];
for (const size of [128, 256, 512])
  for (const [name, recipe] of Object.entries(metaRecipes)) {
    const training = metaTraining(recipe, larger.directions.rows, { latents: size });
    const metaSae = await trainMetaSae(larger, training, { kernels });
    const smaller = unitDirections(family.sae(size));
    const c = await compareMetaSae(metaSae, larger, smaller, training, { kernels });
    const above = ({ cosines }) => percent(cosines.filter((cosine) => cosine > 0.7).length / cosines.length);
    const ve = ({ varianceExplained }) => percent(varianceExplained, 1);
    const both = ({ before, after }) => `${ve(before)} → ${ve(after)}`;
    rows.push([
      size,
      name,
      ve(c.learned),
      ve(c.randomDirections),
      both(c.nearest),
      both(c.randomDecoder),
      `${ve(c.pursuit.smaller)} (${ve(c.pursuit.smallerAnySign)})`,
      ve(c.pursuit.random),
      ve(c.pursuit.own),
      above(c.toSmaller),
      above(c.toLarger),
    ]);
    console.error(`${size} ${name} done`);
  }
printTable(
  [
    "meta-latents = latents of the smaller SAE",
    "recipe",
    "meta-SAE ↑",
    "the same on random directions",
    "nearest smaller directions, encoder as it was → tuned",
    "random directions in its place, before → tuned",
    "regression on the smaller SAE (either sign)",
    "regression on random directions",
    "regression on the meta-SAE's own",
    "meta-latents above cosine 0.7 to the smaller SAE",
    "to the larger SAE",
  ],
  rows,
);
await family.close();
