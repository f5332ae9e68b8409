import { PUBLISHED_COSINE_THRESHOLD } from "@saestitch/core";
import { choice, decimal } from "../arguments/option.ts";

/** A cosine that directions are compared with. */
export function cosineOption(help: string) {
  return decimal(
    "C",
    PUBLISHED_COSINE_THRESHOLD,
    { wanted: "from -1 to below 1", accepts: (cosine) => cosine >= -1 && cosine < 1 },
    help,
  );
}

/** Options that say which latents form a family. */
export const familyOptions = {
  cosine: cosineOption("Directions of a family's pairs have a cosine above this"),
  rule: choice(
    ["cosine", "evidence"],
    "cosine",
    "What joins a pair: its cosine alone, or also that both fire together and one can replace the other, which breaks giant families",
  ),
} as const;
