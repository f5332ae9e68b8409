import { formatBytes, formatCount, formatSeconds } from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { wrap } from "../terminal/wrap.ts";
import type { CaptureDocument } from "./capture-document.ts";

/** A capture as text for a terminal of `width` columns. */
export function captureReport(
  document: CaptureDocument,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const { hook, tensor, d, model, text, tokens, documents, excluded, bytesPerToken, dtype, shards } =
    document;
  const { remarks, capturedNow, seconds, engine, out, checksum } = document;
  const fitted = (lines: readonly string[]) => lines.map((line) => wrap(line, width - 2)).join("\n");
  const rate =
    capturedNow === 0 ? "nothing was left to do" : `${formatCount(capturedNow / seconds)} tokens/s`;
  return [
    section(
      "Capture",
      engine,
      fitted([
        `${hook ?? tensor}, ${d} wide, of ${model.location}`,
        `${formatCount(tokens)} tokens of ${formatCount(documents)} documents of ${text.location}, of them ${formatCount(excluded)} special, which enter no average`,
        `${formatCount(capturedNow)} tokens in ${formatSeconds(seconds)}: ${rate}`,
      ]),
      style,
    ),
    section("How it was read", "", fitted(remarks), style),
    section(
      "Written",
      out,
      fitted([
        `${shards.length} shards, ${formatBytes(shards.reduce((sum, { bytes }) => sum + bytes, 0))}: ${bytesPerToken.toFixed(0)} bytes per token, ${dtype}`,
        `capture.json, with a checksum of the first ${checksum.norms.length} rows that other commands compare`,
        `Go on with: saestitch train --activations ${out} …, or label <smaller> <larger> --activations ${out}`,
      ]),
      style,
    ),
  ].join("\n");
}
