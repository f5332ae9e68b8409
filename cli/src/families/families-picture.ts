import * as Plot from "@observablehq/plot";
import type { FamilyReport } from "@saestitch/core";
import { changeScale, sideMark } from "../pictures/change-axis.ts";
import { headingMarks, svgFigure } from "../pictures/svg-figure.ts";
import { thinned } from "../pictures/thinned.ts";
import { formatCount } from "../terminal/format-number.ts";
import { countKinds, type FamiliesRun } from "./families-document.ts";

const MOST_DOTS = 20_000;

/** Told apart by people with any colour vision, on white. */
const shapes = [
  { name: "one for one", colour: "#2e6f9e", holds: (out: number, into: number) => out === 1 && into === 1 },
  { name: "one for several", colour: "#d1495b", holds: (out: number, into: number) => out === 1 && into > 1 },
  { name: "several for one", colour: "#66a182", holds: (out: number, into: number) => out > 1 && into === 1 },
  { name: "several for several", colour: "#b07aa1", holds: () => true },
] as const;

interface Dot {
  readonly cosine: number;
  /** ΔMSE as a share of the smaller SAE's MSE, in per cent. */
  readonly change: number;
  readonly shape: number;
  readonly latents: number;
}

/** What swapping each family does to the error, against how alike its latents are, as an SVG document. */
export function familiesPicture({ smaller, larger, cosine }: FamiliesRun, report: FamilyReport): string {
  const dots = familyDots(report);
  const drawn = thinned(dots, MOST_DOTS);
  const kinds = countKinds(report);
  const reconstructions = (["copy", "split", "absorbing", "composed"] as const)
    .map((kind) => `${kind} ${formatCount(kinds[kind])}`)
    .join(", ");
  const legend = shapes
    .map(({ name, colour }, shape) => ({
      name,
      colour,
      count: dots.filter((dot) => dot.shape === shape).length,
    }))
    .filter(({ count }) => count > 0)
    .map(({ name, colour, count }) => ({ name: `${name} ${formatCount(count)}`, colour }));
  return svgFigure({
    x: { label: "mean decoder cosine of the family's pairs →", labelAnchor: "center", domain: [cosine, 1] },
    y: {
      label: "ΔMSE when the family alone is swapped, % of the smaller SAE's MSE",
      labelAnchor: "center",
      labelArrow: "none",
      type: "symlog",
      grid: true,
      tickFormat: (change: number) => `${change > 0 ? "+" : ""}${change} %`,
      ...changeScale(dots.map(({ change }) => change)),
    },
    r: { domain: [2, 20], range: [2.5, 9], clamp: true },
    marks: [
      Plot.ruleY([0], { stroke: "#222" }),
      sideMark("↑ swapping it makes reconstruction worse", -10),
      sideMark("↓ swapping it improves reconstruction", 12),
      Plot.dot(drawn, {
        x: "cosine",
        y: "change",
        r: "latents",
        fill: (dot: Dot) => shapes[dot.shape].colour,
        fillOpacity: drawn.length > 4000 ? 0.45 : 0.7,
      }),
      ...headingMarks(
        `${formatCount(smaller.sae.decoder.rows)} → ${formatCount(larger.sae.decoder.rows)} latents: what swapping each family does`,
        `${formatCount(dots.length)} families of both  ·  the larger's latents: novel ${formatCount(kinds.novel)}, ${reconstructions}, other ${formatCount(kinds.other)}`,
        legend,
      ),
    ],
  });
}

function familyDots({ families, edges, swaps, smaller }: FamilyReport): Dot[] {
  const familyOf = new Map<number, number>();
  families.forEach(({ larger }, f) => {
    for (const latent of larger) familyOf.set(latent, f);
  });
  const sums = new Float64Array(families.length);
  const counts = new Float64Array(families.length);
  for (const { larger, cosine } of edges) {
    const f = familyOf.get(larger)!;
    sums[f] += cosine;
    counts[f]++;
  }
  return families.flatMap(({ smaller: out, larger: into }, f) =>
    out.length === 0 || into.length === 0 || swaps.effect[f] === "silent"
      ? []
      : {
          cosine: sums[f] / counts[f],
          change: (100 * swaps.deltaMse[f]) / smaller.mse,
          shape: shapes.findIndex(({ holds }) => holds(out.length, into.length)),
          latents: out.length + into.length,
        },
  );
}
