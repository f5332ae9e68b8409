import { formatCount, formatNumber, formatShare } from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { indented } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import type { ExamplesDocument, LatentRecord, PlaceRecord, TokenRecord } from "./examples-document.ts";
import { type Mark, markedText, visibleToken } from "./marked-text.ts";
import { brackets, shades } from "./shade.ts";

interface Shown {
  readonly width: number;
  readonly style: Style;
  /** Whether tokens may be shown on coloured backgrounds. */
  readonly coloured: boolean;
}

/** Examples of latents as text for a terminal of `width` columns. */
export function examplesReport(document: ExamplesDocument, shown: Shown): string {
  const { width, style, coloured } = shown;
  const { sae, activations, tokens, excluded, nonFinite } = document;
  const legend = coloured
    ? "The stronger the background, the more strongly the latent fires on a token; the one the example is of is underlined."
    : "[[…]] are tokens on which the latent fires, [[…|2.5]] is the one the example is of, and how strongly.";
  const left = `${formatCount(excluded.rows)} left out${nonFinite === 0 ? "" : `, ${formatCount(nonFinite)} not finite`}`;
  const about = [
    `SAE:         ${sae.location}`,
    `activations: ${activations.location}`,
    `tokens:      ${formatCount(tokens)} of ${formatCount(activations.rows)}, ${left}`,
    wrap(legend, width - 2),
  ].join("\n");
  return [
    section("Examples", "", about, style),
    ...document.latents.map((latent) => latentSection(latent, document, shown)),
  ].join("\n");
}

function latentSection(latent: LatentRecord, { tokens }: ExamplesDocument, shown: Shown): string {
  const { width, style, coloured } = shown;
  const title = `Latent ${latent.latent}`;
  if (latent.fires === 0)
    return `${style.bold(title)}  ${style.dim(`never fires on these ${formatCount(tokens)} tokens`)}\n`;
  const mark = coloured ? shades(latent.max) : brackets;
  const places = [
    ...latent.strongest.map((place) => placeLines(place, "", mark, shown)),
    ...latent.quantiles.map((place) =>
      placeLines(place, `stronger than ${formatShare(place.quantile, 0)} of its firings, `, mark, shown),
    ),
  ];
  const often = latent.frequentTokens.map(
    (token) => `${shownToken(token)} ${formatCount(token.fires)} of ${formatCount(token.occurrences)}`,
  );
  const strongly = latent.strongTokens.map(
    (token) => `${shownToken(token)} ${formatNumber(token.mean, 3)} (${formatCount(token.fires)}×)`,
  );
  const body = [
    wrap(
      `fires on ${formatShare(latent.share, 2)} of tokens (${formatCount(latent.fires)}), mean ${formatNumber(latent.mean)} there, at most ${formatNumber(latent.max)}`,
      width - 2,
    ),
    wrap(`most often on ${often.join(", ")}`, width - 2),
    wrap(`most strongly on ${strongly.join(", ")} on average`, width - 2),
    "",
    places.join("\n"),
  ].join("\n");
  return section(title, "", body, style);
}

/** A token by itself in quotes; its spaces are characters, so that it stays on one line. */
function shownToken({ text }: TokenRecord): string {
  return `"${visibleToken(text)}"`;
}

function placeLines(place: PlaceRecord, note: string, mark: Mark, { width, style }: Shown): string {
  const { activation, document, position, at, pieces, activations, continues } = place;
  const where = `${note}${document === null ? "" : `document ${document}, `}token ${position}`;
  const text = markedText(
    { pieces, activations, at, continuesBefore: position > at, continuesAfter: continues },
    mark,
    width - 4,
  );
  return `${style.bold(formatNumber(activation))}  ${style.dim(where)}\n${indented(text)}`;
}
