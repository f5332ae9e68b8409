import { expect, test } from "vitest";
import { displayWidth } from "../terminal/display-width.ts";
import { markedText, type ShownTokens, visibleToken } from "./marked-text.ts";
import { brackets, shades } from "./shade.ts";

function tokens(pieces: readonly string[], active: Readonly<Record<number, number>>): ShownTokens {
  return {
    pieces,
    activations: pieces.map((_, i) => active[i] ?? 0),
    at: Math.max(...Object.keys(active).map(Number)),
    continuesBefore: false,
    continuesAfter: false,
  };
}

test("markedText() marks tokens without the space before them, and tells that of the example apart", () => {
  const shown = tokens(["One", " day", ",", " a", " girl", "s"], { 0: 0.5, 4: 2.126 });
  expect(markedText(shown, brackets, 80)).toBe("[[One]] day, a [[girl|2.13]]s");
  expect(markedText({ ...shown, continuesBefore: true, continuesAfter: true }, brackets, 80)).toBe(
    "…[[One]] day, a [[girl|2.13]]s…",
  );
});

test("markedText() shows line ends, and nothing that a terminal obeys", () => {
  const shown = tokens(["end", ".\n\n", "Next", "\r\n", "\x1b[2J", "\u202eevil", "\ttab"], { 2: 1 });
  expect(markedText(shown, brackets, 80)).toBe("end.↵↵ [[Next|1.00]]↵ \ufffd[2J\ufffdevil⇥ tab");
});

test("markedText() shows marked tokens that have no text of their own", () => {
  const shown = tokens(["a", "  ", "", "é", "\n"], { 1: 1, 2: 1, 4: 3 });
  expect(markedText(shown, brackets, 80)).toBe("a[[␣␣]][[◌]]é[[↵|3.00]]");
});

test("markedText() breaks lines at spaces, and where there are none between tokens", () => {
  const words = tokens([..."one two three four five".split(/(?= )/)], { 2: 1 });
  expect(markedText(words, brackets, 16)).toBe("one two\n[[three|1.00]]\nfour five");
  const letters = tokens([..."漢字漢字漢字"], { 5: 1 });
  expect(markedText(letters, (text) => text, 4)).toBe("漢字\n漢字\n漢字");
});

test("shades() colours tokens the more strongly the more the latent fires, and takes no room", () => {
  const mark = shades(10);
  const weak = mark("a", 0.1, false);
  const strong = mark("a", 10, false);
  expect(weak).toContain("48;5;230m");
  expect(strong).toContain("48;5;202m");
  expect(mark("a", 10, true)).toContain("\x1b[4ma");
  expect([weak, strong].map(displayWidth)).toEqual([1, 1]);
});

test("visibleToken() makes spaces visible", () => {
  expect([" the", "a b", "\n", " ", ""].map(visibleToken)).toEqual(["␣the", "a␣b", "↵", "␣", "◌"]);
});
