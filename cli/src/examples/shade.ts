import { formatNumber } from "../terminal/format-number.ts";
import type { Mark } from "./marked-text.ts";

/** Backgrounds of the 256 colours of terminals, from pale to strong; black can be read on all of them. */
const backgrounds = [230, 223, 216, 209, 202];

/** Tokens on backgrounds that are the stronger the more the latent fires, at most `max`; that which it is about is underlined. */
export function shades(max: number): Mark {
  return (text, activation, isPlace) => {
    const level = Math.min(backgrounds.length - 1, Math.floor((activation / max) * backgrounds.length));
    const shown = isPlace ? `\x1b[4m${text}\x1b[24m` : text;
    return `\x1b[38;5;16;48;5;${backgrounds[level]}m${shown}\x1b[39;49m`;
  };
}

/** Tokens in double brackets, that which it is about with its activation. */
export const brackets: Mark = (text, activation, isPlace) =>
  isPlace ? `[[${text}|${formatNumber(activation, 3)}]]` : `[[${text}]]`;
