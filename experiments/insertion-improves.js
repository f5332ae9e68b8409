import { label } from "@saestitch/core";
import { neighbours, openFamily, percent, printTable } from "./stories260k.js";

/** Claim: novel latents lower the error of the smaller SAE, reconstruction latents raise it; the cosine tells which. */
const family = await openFamily();
const rows = [];
const predictors = [];
for (const [smaller, larger] of [...neighbours, [128, 2048]]) {
  const { latents, predictor } = await label(
    family.sae(smaller),
    family.sae(larger),
    family.source,
    family.kernels,
  );
  const live = Array.from(latents.verdict.keys()).filter((j) => latents.verdict[j] !== "dead");
  const share = (of, holds) => of.filter(holds).length / of.length;
  const below = live.filter((j) => latents.cosine[j] < 0.7);
  const above = live.filter((j) => latents.cosine[j] >= 0.7);
  rows.push([
    `${smaller} → ${larger}`,
    live.length,
    percent(share(live, (j) => latents.verdict[j] === "novel")),
    percent(share(live, (j) => latents.verdict[j] === "reconstruction")),
    percent(share(live, (j) => latents.verdict[j] === "undecided")),
    percent(below.length / live.length),
    percent(share(below, (j) => latents.deltaMse[j] < 0)),
    percent(share(above, (j) => latents.deltaMse[j] >= 0)),
  ]);
  const interval = (range) => `${range.lower.toFixed(3)} to ${range.upper.toFixed(3)}`;
  predictors.push([
    `${smaller} → ${larger}`,
    `${predictor.auc.toFixed(3)} (${interval(predictor.aucInterval)})`,
    `${predictor.best.threshold.toFixed(2)} (${interval(predictor.thresholdInterval)})`,
    percent(predictor.published.truePositiveRate),
    percent(predictor.published.falsePositiveRate),
    predictor.null.percentile95.toFixed(3),
  ]);
}
printTable(
  [
    "pair",
    "live latents",
    "novel",
    "reconstruction",
    "undecided",
    "cosine < 0.7",
    "of these lower MSE",
    "of the others do not",
  ],
  rows,
);
console.log();
printTable(
  ["pair", "AUC", "best threshold", "0.7 finds", "0.7's false alarms", "95 % of random directions below"],
  predictors,
);
await family.close();
