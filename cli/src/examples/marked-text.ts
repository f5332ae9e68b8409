import { displayWidth } from "../terminal/display-width.ts";

/** Tokens that are shown as a text. */
export interface ShownTokens {
  /** What each token adds to the text. */
  readonly pieces: readonly string[];
  /** How strongly the latent fires on each; 0 where it does not. */
  readonly activations: ArrayLike<number>;
  /** Which of them it is all about. */
  readonly at: number;
  /** Whether text of the same document comes before, and after. */
  readonly continuesBefore: boolean;
  readonly continuesAfter: boolean;
}

/** How the part of a text is shown that belongs to a token on which the latent fires. */
export type Mark = (text: string, activation: number, isPlace: boolean) => string;

/** A part of a text that is not broken, and whether there is a space before it. */
interface Fragment {
  readonly shown: string;
  readonly spaced: boolean;
}

/** Tokens as text in lines of at most `width` columns, those marked on which the latent fires. */
export function markedText(tokens: ShownTokens, mark: Mark, width: number): string {
  const fragments = fragmentsOf(tokens, mark);
  if (tokens.continuesBefore) fragments.unshift({ shown: "…", spaced: false });
  if (tokens.continuesAfter) fragments.push({ shown: "…", spaced: false });
  const lines: string[] = [];
  let line = "";
  for (const word of wordsOf(fragments)) {
    const whole = word.join("");
    if (line !== "" && displayWidth(`${line} ${whole}`) <= width) {
      line += ` ${whole}`;
      continue;
    }
    if (line !== "") lines.push(line);
    line = "";
    // What is longer than a line, such as text without spaces, is broken between tokens.
    for (const part of word) {
      if (line !== "" && displayWidth(line + part) > width) {
        lines.push(line);
        line = "";
      }
      line += part;
    }
  }
  return [...lines, line].join("\n");
}

function fragmentsOf({ pieces, activations, at }: ShownTokens, mark: Mark): Fragment[] {
  const fragments: Fragment[] = [];
  let spaced = false;
  for (const [i, piece] of pieces.entries()) {
    const fires = activations[i] > 0;
    const parts = visible(piece).split(" ");
    const shownParts = fires && parts.every((part) => part === "") ? [spaces(piece)] : parts;
    shownParts.forEach((part, p) => {
      if (p > 0) spaced = true;
      if (part === "") return;
      fragments.push({ shown: fires ? mark(part, activations[i], i === at) : part, spaced });
      spaced = false;
    });
  }
  return fragments;
}

/** Fragments without space between them. */
function wordsOf(fragments: readonly Fragment[]): string[][] {
  const words: string[][] = [];
  for (const { shown, spaced } of fragments) {
    if (spaced || words.length === 0) words.push([shown]);
    else words[words.length - 1].push(shown);
  }
  return words;
}

/** A token by itself, its spaces visible. */
export function visibleToken(text: string): string {
  return visible(text).trimEnd().length === 0 ? spaces(text) : visible(text).trimEnd().replaceAll(" ", "␣");
}

/** Spaces as characters; a token that adds no text, because its character ends in a later one, as a circle. */
function spaces(text: string): string {
  return text === "" ? "◌" : "␣".repeat(text.length);
}

/** Text without what a terminal would obey: line ends are shown, and a line may be broken after them. */
function visible(text: string): string {
  return text
    .replace(/(?:\r?\n)+/g, (ends) => `${"↵".repeat(ends.replaceAll("\r", "").length)} `)
    .replaceAll("\t", "⇥ ")
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
