import { expect, test } from "vitest";
import type { OutputStream } from "./output-stream.ts";
import { type ProgressMode, progressBar, progressMode, startProgress } from "./progress.ts";

/** A stream that remembers what was written, and a clock to set. */
function recording(mode: ProgressMode, columns = 80) {
  const written: string[] = [];
  let time = 0;
  const stream: OutputStream = {
    isTTY: mode === "line",
    columns,
    write: (text) => {
      written.push(text);
      return true;
    },
  };
  let details: readonly string[] = [];
  const work = { label: "labelling", unit: "rows", total: 1000, start: 200, details: () => details };
  const progress = startProgress(stream, work, { mode, now: () => time });
  const at = (seconds: number, done: number, ...below: string[]) => {
    time = 1000 * seconds;
    details = below;
    progress.update(done);
  };
  return { written, progress, at };
}

test("progressMode() is a moving line on a terminal, lines elsewhere, nothing when quiet or read by a program", () => {
  const terminal = { isTTY: true, write: () => true };
  const file = { write: () => true };
  expect(progressMode(terminal)).toBe("line");
  expect(progressMode(terminal, { json: true })).toBe("line");
  expect(progressMode(file)).toBe("lines");
  expect(progressMode(file, { json: true })).toBe("none");
  expect(progressMode(terminal, { quiet: true })).toBe("none");
});

test("a moving line shows bar, share, rate and time left, and clears itself", () => {
  const { written, progress, at } = recording("line", 120);
  at(1, 300);
  expect(written).toEqual([
    `\r\x1b[Klabelling  ${progressBar(0.3, 30)}  30 %  300 of 1,000 rows  100 rows/s  7 s left`,
  ]);
  progress.end();
  progress.update(400);
  expect(written.slice(1)).toEqual(["\r\x1b[K"]);
});

test("a moving line is never wider than the terminal, and is drawn at most ten times a second", () => {
  for (const columns of [20, 40, 80]) {
    const { written, at } = recording("line", columns);
    at(1, 300);
    at(1.05, 350);
    at(1.2, 400);
    expect(written).toHaveLength(2);
    for (const line of written) expect(line.replace("\r\x1b[K", "").length).toBeLessThan(columns);
  }
});

test("plain lines come every five seconds, without control characters", () => {
  const { written, progress, at } = recording("lines");
  at(1, 300);
  at(5, 600);
  at(7, 700);
  at(10, 900);
  progress.end();
  expect(written).toEqual([
    "labelling: 60 %  600 of 1,000 rows  80 rows/s  5 s left\n",
    "labelling: 90 %  900 of 1,000 rows  70 rows/s  1 s left\n",
  ]);
});

test("details are shown below, drawn over on a terminal and within its width", () => {
  const moving = recording("line", 40);
  moving.at(1, 300, "128 latents", "x".repeat(60));
  moving.at(2, 400, "128 latents");
  moving.progress.end();
  expect(moving.written.map((text) => text.split("\n").slice(1))).toEqual([
    ["  128 latents", `  ${"x".repeat(37)}`],
    ["  128 latents"],
    [],
  ]);
  expect(moving.written.map((text) => text.startsWith("\r\x1b[2A\x1b[J"))).toEqual([false, true, false]);
  expect(moving.written[2]).toBe("\r\x1b[1A\x1b[J");
  const plain = recording("lines");
  plain.at(5, 600, "128 latents");
  expect(plain.written).toEqual(["labelling: 60 %  600 of 1,000 rows  80 rows/s  5 s left\n  128 latents\n"]);
});

test("no progress writes nothing", () => {
  const { written, progress, at } = recording("none");
  at(100, 900);
  progress.end();
  expect(written).toEqual([]);
});

test("progressBar() is as wide as asked, in eighths", () => {
  expect(progressBar(0, 4)).toBe("░░░░");
  expect(progressBar(0.5, 4)).toBe("██░░");
  expect(progressBar(0.53125, 4)).toBe("██▏░");
  expect(progressBar(1, 4)).toBe("████");
  expect(progressBar(2, 4)).toBe("████");
});
