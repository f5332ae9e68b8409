import { type PlantedLatent, type Verdict, verdicts } from "@saestitch/core";
import { formatCount, formatFixed } from "../terminal/format-number.ts";
import { textTable } from "../terminal/text-table.ts";

const kinds = ["novel", "copy", "split", "absorbing"] as const satisfies readonly PlantedLatent["kind"][];

/** How right verdicts are where the truth is known. */
export interface Correctness {
  /** Latents of each planted kind by verdict. */
  readonly confusion: Readonly<Record<PlantedLatent["kind"], Readonly<Record<Verdict, number>>>>;
  /** Share of the latents labelled novel that were planted novel; null when none was labelled so. Higher is better. */
  readonly precision: number | null;
  /** Share of the latents planted novel that are labelled so; null when none was planted so. Higher is better. */
  readonly recall: number | null;
  /** Latents whose verdict is what they were planted as: novel, or for every other kind reconstruction. */
  readonly right: number;
  readonly latents: number;
}

/** Compare verdicts with what was planted, latent by latent. */
export function compareWithTruth(truth: readonly PlantedLatent[], verdict: readonly Verdict[]): Correctness {
  const confusion = Object.fromEntries(
    kinds.map((kind) => [kind, Object.fromEntries(verdicts.map((name) => [name, 0]))]),
  ) as Record<PlantedLatent["kind"], Record<Verdict, number>>;
  let right = 0;
  truth.forEach(({ kind }, j) => {
    confusion[kind][verdict[j]]++;
    if (verdict[j] === (kind === "novel" ? "novel" : "reconstruction")) right++;
  });
  const calledNovel = verdict.filter((name) => name === "novel").length;
  const plantedNovel = truth.filter(({ kind }) => kind === "novel").length;
  return {
    confusion,
    precision: calledNovel === 0 ? null : confusion.novel.novel / calledNovel,
    recall: plantedNovel === 0 ? null : confusion.novel.novel / plantedNovel,
    right,
    latents: truth.length,
  };
}

/** The comparison as text: planted kinds down, verdicts across. */
export function correctnessTable({ confusion, precision, recall, right, latents }: Correctness): string {
  const table = textTable(
    [
      { heading: "planted as", align: "left" },
      ...verdicts.map((verdict) => ({ heading: verdict, align: "right" as const })),
    ],
    kinds.map((kind) => [kind, ...verdicts.map((verdict) => formatCount(confusion[kind][verdict]))]),
  );
  return [
    table,
    "",
    `${formatCount(right)} of ${formatCount(latents)} right  (copies, splits and absorbing latents are reconstruction)`,
    `of novel: precision ↑ ${formatFixed(precision, 3)}, recall ↑ ${formatFixed(recall, 3)}`,
  ].join("\n");
}
