import type { Kernels, SparseCode } from "@saestitch/core";
import { describeEngines, type EngineReport, openKernels } from "@saestitch/core/node";
import { drawProblem, measureKernels } from "./measure-kernels.ts";

/** One way to run the kernels: whether it runs here, and how fast. */
export interface ExaminedEngine {
  readonly engine: EngineReport["engine"];
  readonly instructions: string | null;
  /** Why it does not run; null when it does. */
  readonly reason: string | null;
  readonly name: string | null;
  readonly encodeGflops: number | null;
  readonly decodeMegaentries: number | null;
  /** Whether its codes are those of the first engine, bit for bit. */
  readonly agrees: boolean | null;
}

/**
 * Open and time every engine, the one that `openKernels` prefers first; `onEngine` hears of each before it is timed. Takes a second
 * or two each.
 */
export async function examineEngines(
  threads: number,
  onEngine: (name: string) => void,
): Promise<ExaminedEngine[]> {
  const problem = drawProblem();
  const examined: ExaminedEngine[] = [];
  let expected: SparseCode | undefined;

  const examine = async (report: Pick<ExaminedEngine, "engine" | "instructions">, kernels: Kernels) => {
    onEngine(kernels.name);
    try {
      const { code, ...speed } = await measureKernels(kernels, problem);
      expected ??= code;
      examined.push({
        ...report,
        reason: null,
        name: kernels.name,
        ...speed,
        agrees: sameCodes(code, expected),
      });
    } finally {
      await kernels.close();
    }
  };
  const fails = (report: Pick<ExaminedEngine, "engine" | "instructions">, reason: string) =>
    examined.push({
      ...report,
      reason,
      name: null,
      encodeGflops: null,
      decodeMegaentries: null,
      agrees: null,
    });

  for (const { engine, instructions, reason } of describeEngines()) {
    const report = { engine, instructions: instructions ?? null };
    if (reason !== undefined) fails(report, reason);
    else
      await examine(
        report,
        await openKernels({ threads, engine, ...(instructions !== undefined && { instructions }) }),
      );
  }

  const gpu = { engine: "webgpu", instructions: null } as const;
  try {
    await examine(gpu, await openKernels({ threads, engine: "webgpu" }));
  } catch (error) {
    fails(gpu, (error as Error).message);
  }
  const prefersGpu = process.env.SAESTITCH_KERNELS === "webgpu";
  return prefersGpu ? [...examined.splice(-1), ...examined] : examined;
}

function sameCodes(a: SparseCode, b: SparseCode): boolean {
  const same = (x: Int32Array | Float32Array, y: Int32Array | Float32Array) =>
    x.length === y.length && x.every((value, at) => value === y[at]);
  return same(a.offsets, b.offsets) && same(a.indices, b.indices) && same(a.values, b.values);
}
