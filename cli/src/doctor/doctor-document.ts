import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { saestitchVersion } from "../version.ts";
import type { ExaminedEngine } from "./examine-engines.ts";
import { problem } from "./measure-kernels.ts";

/** Version of the document; docs/doctor-output.md describes every field. */
export const DOCTOR_SCHEMA = "saestitch.doctor/1";

/** All that `doctor` says, as `--json` prints it. */
export interface DoctorDocument {
  readonly schema: typeof DOCTOR_SCHEMA;
  readonly saestitch: string;
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly threads: number;
  /** The kernels that commands use here, and why these. */
  readonly chosen: { readonly name: string; readonly because: string };
  readonly problem: typeof problem;
  readonly engines: readonly ExaminedEngine[];
  readonly warnings: readonly string[];
}

/** The document of what was examined; the first engine is the one that commands use. */
export function doctorDocument(threads: number, engines: readonly ExaminedEngine[]): DoctorDocument {
  const [chosen] = engines.filter(({ name }) => name !== null);
  return {
    schema: DOCTOR_SCHEMA,
    saestitch: saestitchVersion,
    node: process.version,
    platform: `${platform()}-${arch()}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    threads,
    chosen: { name: chosen.name ?? "none", because: because(chosen, engines) },
    problem,
    engines,
    warnings: warnings(chosen, engines),
  };
}

function because(chosen: ExaminedEngine, engines: readonly ExaminedEngine[]): string {
  if (process.env.SAESTITCH_KERNELS) return `SAESTITCH_KERNELS is ${process.env.SAESTITCH_KERNELS}`;
  if (chosen.engine === "native")
    return "the native addon loads, and these are the best instructions that it, the processor and the system share";
  const native = engines.find(({ engine }) => engine === "native");
  return `the native addon does not load: ${native?.reason ?? "there is none"}`;
}

function warnings(chosen: ExaminedEngine, engines: readonly ExaminedEngine[]): string[] {
  const differing = engines.filter(({ agrees }) => agrees === false);
  const faster = engines.find(
    ({ engine, encodeGflops }) =>
      engine === "native" && (encodeGflops ?? 0) > 1.2 * (chosen.encodeGflops ?? 0),
  );
  return [
    ...differing.map(({ name }) => `${name} gives other codes than ${chosen.name}; please report this`),
    ...(faster ? [`${faster.name} encodes faster here than ${chosen.name}`] : []),
    ...(chosen.engine === "wasm" && !process.env.SAESTITCH_KERNELS
      ? [
          "Native kernels are several times as fast: install a C compiler, then npm rebuild @saestitch/kernels",
        ]
      : []),
  ];
}
