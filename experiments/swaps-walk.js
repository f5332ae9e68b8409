import { measureTrajectory, planTrajectory, trajectory } from "@saestitch/core";
import { neighbours, openFamily, percent, printTable } from "./stories260k.js";

/** Claim: inserting novel latents and swapping families walks from the smaller SAE to the larger, with falling error. */
const family = await openFamily();
const rows = [];
for (const sizes of neighbours) {
  const coded = family.coded(...sizes);
  const [smaller, larger] = coded.saes;
  for (const [rule, order] of [
    ["cosine", "cosine"],
    ["cosine", "gain"],
    ["cosine", "random"],
    ["evidence", "cosine"],
    ["evidence", "gain"],
  ]) {
    const plan = await planTrajectory(coded, family.pair(sizes), family.kernels, { rule, order });
    const sums = await measureTrajectory(coded, plan.steps, family.kernels);
    const { path, rises, ends } = trajectory({ smaller, larger, steps: plan.steps }, sums);
    const { refit } = trajectory({ smaller, larger, steps: plan.steps }, sums, { bias: "refit" }).path.mseBy;
    const inserted = plan.steps.findIndex(({ remove }) => remove.length > 0);
    const swapped = plan.steps.findLastIndex(({ insert }) => insert.length > 0) + 1;
    const at = (k) => path.mse[k].toFixed(5);
    const lowest = path.mse.indexOf(Math.min(...path.mse.subarray(0, inserted + 1)));
    rows.push([
      `${sizes[0]} → ${sizes[1]}`,
      `${rule}, ${order}`,
      `${inserted} / ${swapped - inserted} / ${plan.steps.length - swapped}`,
      at(0),
      `${at(lowest)} (${lowest})`,
      at(inserted),
      path.l0[inserted].toFixed(2),
      at(swapped),
      at(plan.steps.length),
      refit[plan.steps.length].toFixed(5),
      `${rises.steps.length} (${percent(rises.steps.length / plan.steps.length)})`,
      ends.end.relativeDifference.toExponential(0),
    ]);
  }
}
printTable(
  [
    "pair",
    "rule, order",
    "novel inserted / swapped and inserted later / removed",
    "MSE at first",
    "lowest among the insertions (after)",
    "after the novel ones",
    "L0 there",
    "after the swaps",
    "at last",
    "at last, bias re-fitted",
    "steps at which it rises",
    "last with the larger's bias against the larger SAE, relative",
  ],
  rows,
);
await family.close();
