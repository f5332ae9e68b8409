import { formatBytes, formatCount, formatNumber } from "../terminal/format-number.ts";
import type { Style } from "../terminal/style.ts";
import { indented, textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import type { DoctorDocument } from "./doctor-document.ts";
import type { ExaminedEngine } from "./examine-engines.ts";

/** What `doctor` found, as text for a terminal of `width` columns. */
export function doctorReport(
  document: DoctorDocument,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const { rows, width: d, latents, active } = document.problem;
  const facts = [
    ["saestitch", document.saestitch],
    ["Node", `${document.node}, ${document.platform}`],
    ["processor", `${document.processor}, ${document.processors} threads`],
    ["memory", formatBytes(document.memoryBytes)],
  ];
  const plain = { heading: "", align: "left" } as const;
  const runs = document.engines.filter(({ reason }) => reason === null);
  const speeds = textTable(
    [
      { heading: "kernels", align: "left" },
      { heading: "encode, GFLOP/s ↑", align: "right" },
      { heading: "decode, M entries/s ↑", align: "right" },
      { heading: "codes", align: "left" },
    ],
    runs.map((engine) => [
      engine.name ?? "",
      formatNumber(engine.encodeGflops),
      formatNumber(engine.decodeMegaentries),
      engine.agrees ? "the same" : "DIFFER",
    ]),
  );
  const absent = document.engines.filter(({ reason }) => reason !== null);
  const sections = [
    `${style.bold("Machine")}\n${indented(textTable([plain, plain], facts))}`,
    `${style.bold("Kernels in use")}  ${document.chosen.name}\n${indented(wrap(`because ${document.chosen.because}`, width - 2))}`,
    `${style.bold("Speed")}  ${style.dim(`${formatCount(rows)} rows × ${d} × ${formatCount(latents)} latents, ${active} active`)}\n${indented(speeds)}`,
    ...(absent.length === 0
      ? []
      : [
          `${style.bold("Not here")}\n${absent.map((engine) => indented(wrap(`${titleOf(engine)}: ${engine.reason}`, width - 2))).join("\n")}`,
        ]),
    ...document.warnings.map((warning) =>
      wrap(`warning: ${warning}`, width).replace(/^warning:/, style.bold("warning:")),
    ),
  ];
  return `${sections.join("\n\n")}\n`;
}

function titleOf({ engine, instructions }: ExaminedEngine): string {
  return instructions === null ? engine : `${engine} (${instructions})`;
}
