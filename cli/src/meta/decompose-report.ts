import { formatCount, formatFixed, formatShare } from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import type { DecompositionRun } from "./decompose-document.ts";
import type { DecomposedLatent, LatentPart } from "./decompose-latents.ts";
import type { NearestLatent } from "./meta-latents.ts";

/** Decompositions of some latents as text for a terminal of `width` columns. */
export function decompositionReport(
  { larger, meta, smaller, latents }: DecompositionRun,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const inputs = [
    `larger:   ${larger.location}`,
    `meta-SAE: ${meta.location}`,
    ...(smaller === null ? [] : [`smaller:  ${smaller.location}`]),
    wrap(
      "explained = 1 - ‖w - ŵ‖²  (w: direction of length 1, ŵ: sum of its meta-latents); nearest: latent with the highest cosine",
      width - 2,
    ),
  ].join("\n");
  return [
    section("SAEs", "", inputs, style),
    ...latents.map((latent) =>
      section(
        `Latent ${latent.latent}`,
        `explained ${formatShare(latent.explained)} ↑, cosine to the sum ${formatFixed(latent.cosine, 3)} ↑`,
        latentLines(latent, { width: width - 2, withSmaller: smaller !== null, style }),
        style,
      ),
    ),
  ].join("\n");
}

function latentLines(
  { parts, nearest }: DecomposedLatent,
  shown: { readonly width: number; readonly withSmaller: boolean; readonly style: Style },
): string {
  const close = wrap(`nearest latents: ${nearest.map(formatNearest).join(", ") || "none"}`, shown.width);
  if (parts.length === 0) return `no meta-latent is active\n${close}`;
  return `${partLines(parts, shown)}\n${close}`;
}

/** A line for each meta-latent, and below it the other latents it is in. */
function partLines(
  parts: readonly LatentPart[],
  {
    width,
    withSmaller,
    style,
  }: { readonly width: number; readonly withSmaller: boolean; readonly style: Style },
): string {
  const columns = [
    { heading: "meta-latent", align: "right" as const, cell: (part: LatentPart) => String(part.metaLatent) },
    {
      heading: "strength",
      align: "right" as const,
      cell: (part: LatentPart) => formatFixed(part.strength, 3),
    },
    { heading: "in latents", align: "right" as const, cell: (part: LatentPart) => formatCount(part.latents) },
    {
      heading: "nearest, larger",
      align: "right" as const,
      cell: (part: LatentPart) => formatNearest(part.nearestLarger),
    },
    ...(withSmaller
      ? [
          {
            heading: "nearest, smaller",
            align: "right" as const,
            cell: ({ nearestSmaller }: LatentPart) =>
              nearestSmaller === null ? "–" : formatNearest(nearestSmaller),
          },
        ]
      : []),
  ];
  const [heading, ...lines] = textTable(
    columns,
    parts.map((part) => columns.map(({ cell }) => cell(part))),
  ).split("\n");
  return [
    heading,
    ...lines.flatMap((line, i) => {
      const others = parts[i].others.map(({ latent, strength }) => `${latent} ${formatFixed(strength, 2)}`);
      const below = others.length === 0 ? "in no other latent" : `also in ${others.join(", ")}`;
      return [line, style.dim(wrap(below, width - 13).replace(/^/gm, " ".repeat(13)))];
    }),
  ].join("\n");
}

function formatNearest({ latent, cosine }: NearestLatent): string {
  return `${latent} ${formatFixed(cosine, 2)}`;
}
