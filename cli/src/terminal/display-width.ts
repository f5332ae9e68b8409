import { stripVTControlCharacters } from "node:util";

/** Characters that take two columns: those of East Asian scripts, and emoji. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns that text takes on a terminal; styles and marks that combine with a letter take none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text).replace(/\p{Mn}/gu, ""))
    width += wide.test(character) ? 2 : 1;
  return width;
}
