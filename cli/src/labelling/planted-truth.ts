import { type PlantedLatent, type TrueNovelty, type Verdict, verdicts } from "@saestitch/core";
import { formatCount, formatFixed } from "../terminal/format-number.ts";
import { textTable } from "../terminal/text-table.ts";

/** What latents of each true kind are called when they are called right; null for a kind that no verdict is right or wrong about. */
export type RightVerdicts<Kind extends string> = Readonly<Record<Kind, "novel" | "reconstruction" | null>>;

/** For latents that were planted. */
export const plantedVerdicts: RightVerdicts<PlantedLatent["kind"]> = {
  novel: "novel",
  copy: "reconstruction",
  split: "reconstruction",
  absorbing: "reconstruction",
};

/** For latents that were trained on a world whose directions are known. */
export const trainedVerdicts: RightVerdicts<TrueNovelty> = {
  novel: "novel",
  known: "reconstruction",
  none: null,
};

/** How right verdicts are where the truth is known. */
export interface Correctness<Kind extends string> {
  /** Latents of each true kind by verdict. */
  readonly confusion: Readonly<Record<Kind, Readonly<Record<Verdict, number>>>>;
  /** Share of the latents labelled novel that truly are; null when none was labelled so. Higher is better. */
  readonly precision: number | null;
  /** Share of the truly novel latents that are labelled so; null when there is none. Higher is better. */
  readonly recall: number | null;
  /** Latents whose verdict is the right one of their kind. */
  readonly right: number;
  /** Latents of a kind that has a right verdict; the others have no part in the figures above. */
  readonly latents: number;
}

/** Compare verdicts with the truth, latent by latent. */
export function compareWithTruth<Kind extends string>(
  truth: readonly NoInfer<Kind>[],
  verdict: readonly Verdict[],
  rightVerdicts: RightVerdicts<Kind>,
): Correctness<Kind> {
  const kinds = Object.keys(rightVerdicts) as Kind[];
  const confusion = Object.fromEntries(
    kinds.map((kind) => [kind, Object.fromEntries(verdicts.map((name) => [name, 0]))]),
  ) as Record<Kind, Record<Verdict, number>>;
  truth.forEach((kind, j) => {
    confusion[kind][verdict[j]]++;
  });
  let right = 0;
  let latents = 0;
  const novel = { called: 0, true: 0, both: 0 };
  for (const kind of kinds) {
    const wanted = rightVerdicts[kind];
    if (wanted === null) continue;
    const counts = confusion[kind];
    const all = verdicts.reduce((sum, name) => sum + counts[name], 0);
    latents += all;
    right += counts[wanted];
    novel.called += counts.novel;
    if (wanted !== "novel") continue;
    novel.true += all;
    novel.both += counts.novel;
  }
  return {
    confusion,
    precision: novel.called === 0 ? null : novel.both / novel.called,
    recall: novel.true === 0 ? null : novel.both / novel.true,
    right,
    latents,
  };
}

/** The comparison as text: true kinds down, under `heading` and by their `names`; verdicts across. */
export function correctnessTable<Kind extends string>(
  { confusion, precision, recall, right, latents }: Correctness<Kind>,
  heading: string,
  names: Readonly<Record<Kind, string>>,
): string {
  const table = textTable(
    [
      { heading, align: "left" },
      ...verdicts.map((verdict) => ({ heading: verdict, align: "right" as const })),
    ],
    (Object.keys(confusion) as Kind[]).map((kind) => [
      names[kind],
      ...verdicts.map((verdict) => formatCount(confusion[kind][verdict])),
    ]),
  );
  return [
    table,
    "",
    `${formatCount(right)} of ${formatCount(latents)} right; of novel: precision ↑ ${formatFixed(precision, 3)}, recall ↑ ${formatFixed(recall, 3)}`,
  ].join("\n");
}
