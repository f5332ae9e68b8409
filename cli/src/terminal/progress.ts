import { formatCount, formatSeconds } from "./format-number.ts";
import type { OutputStream } from "./output-stream.ts";

/** How progress is shown: one moving line, a plain line now and then, or not at all. */
export type ProgressMode = "line" | "lines" | "none";

/** The progress of one long piece of work. */
export interface Progress {
  /** Say how much is done now. */
  update(done: number): void;
  /** Take what moves away; nothing is shown afterwards. */
  end(): void;
}

const MILLISECONDS_BETWEEN_DRAWINGS = 100;
const LONGEST_BAR = 30;

/** A piece of work as progress shows it. */
export interface Work {
  readonly label: string;
  /** What is counted, such as "rows". */
  readonly unit: string;
  /** Absent where nobody knows: then only what is done and its rate are shown. */
  readonly total?: number | undefined;
  /** What was done already when it begins; does not count towards the rate. */
  readonly start?: number;
  /** Where there is no terminal: time between two lines. */
  readonly secondsBetweenLines?: number;
  /** Lines to show below, asked for whenever something is shown. */
  readonly details?: () => readonly string[];
}

/** Begin to show the progress of a piece of work. */
export type StartProgress = (work: Work) => Progress;

/** A moving line on a terminal; elsewhere plain lines, but none when quiet or when a program reads the result. */
export function progressMode(stream: OutputStream, { quiet = false, json = false } = {}): ProgressMode {
  if (quiet) return "none";
  if (stream.isTTY) return "line";
  return json ? "none" : "lines";
}

/** Show how far work has come on `stream`: share, rate, time left. `now` is a clock in milliseconds. */
export function startProgress(
  stream: OutputStream,
  { label, unit, total, start = 0, secondsBetweenLines = 5, details = () => [] }: Work,
  { mode, now = () => performance.now() }: { readonly mode: ProgressMode; readonly now?: () => number },
): Progress {
  if (mode === "none") return { update: () => {}, end: () => {} };
  const begun = now();
  let last = mode === "line" ? Number.NEGATIVE_INFINITY : begun;
  /** Lines that were drawn and can be drawn over. */
  let height = 0;
  let ended = false;
  const interval = mode === "line" ? MILLISECONDS_BETWEEN_DRAWINGS : 1000 * secondsBetweenLines;
  const clear = () => (height > 1 ? `\r\x1b[${height - 1}A\x1b[J` : "\r\x1b[K");

  return {
    update(done) {
      const time = now();
      if (ended || time - last < interval) return;
      last = time;
      const figures = progressFigures({
        unit,
        total,
        done,
        worked: done - start,
        seconds: (time - begun) / 1000,
      });
      const below = details().map((line) => `  ${line}`);
      if (mode === "lines") {
        stream.write([`${label}: ${figures}`, ...below, ""].join("\n"));
        return;
      }
      const room = (stream.columns ?? 80) - 1 - label.length - figures.length - 4;
      const bar =
        room < 5 || total === undefined ? "" : `${progressBar(done / total, Math.min(room, LONGEST_BAR))}  `;
      const lines = [`${label}  ${bar}${figures}`, ...below];
      stream.write(clear() + lines.map((line) => line.slice(0, (stream.columns ?? 80) - 1)).join("\n"));
      height = lines.length;
    },
    end() {
      if (height > 0 && !ended) stream.write(clear());
      ended = true;
    },
  };
}

function progressFigures({
  unit,
  total,
  done,
  worked,
  seconds,
}: {
  readonly unit: string;
  readonly total: number | undefined;
  readonly done: number;
  readonly worked: number;
  readonly seconds: number;
}): string {
  const rate = worked / seconds;
  const known = worked > 0 && seconds > 0;
  const speed = known ? [`${formatCount(rate)} ${unit}/s`] : [];
  if (total === undefined) return [`${formatCount(done)} ${unit}`, ...speed].join("  ");
  const share = total === 0 ? 1 : done / total;
  return [
    `${Math.floor(100 * share)} %`,
    `${formatCount(done)} of ${formatCount(total)} ${unit}`,
    ...speed,
    ...(known ? [`${formatSeconds((total - done) / rate)} left`] : []),
  ].join("  ");
}

/** A bar of `width` characters filled to `share`, in eighths of a character. */
export function progressBar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const partial = eighths % 8 === 0 ? "" : " ▏▎▍▌▋▊▉"[eighths % 8];
  return ("█".repeat(Math.floor(eighths / 8)) + partial).padEnd(width, "░");
}
