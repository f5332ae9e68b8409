import type { OutputStream } from "./output-stream.ts";

/** Ways to make text stand out on a terminal; on anything else they leave it alone. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
}

const plain: Style = { bold: (text) => text, dim: (text) => text };

const ansi: Style = { bold: (text) => `\x1b[1m${text}\x1b[22m`, dim: (text) => `\x1b[2m${text}\x1b[22m` };

/** Whether text may be made to stand out on `stream`: on a terminal, but not where NO_COLOR (no-color.org) is set. */
export function isStyled(stream: OutputStream, environment: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== "dumb";
}

/** The style for `stream`: plain unless {@link isStyled}. */
export function styleFor(stream: OutputStream, environment: NodeJS.ProcessEnv = process.env): Style {
  return isStyled(stream, environment) ? ansi : plain;
}
