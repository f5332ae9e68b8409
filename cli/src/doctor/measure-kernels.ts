import { type Kernels, type Matrix, normal, type SparseCode, seededRandom, zeros } from "@saestitch/core";

/** What is timed: rows, their width, latents, and how many latents are active on average. */
export const problem = { rows: 2048, width: 768, latents: 4096, active: 32 } as const;

/** Standard normal pre-activations exceed this with probability 32 / 4 096. */
const THRESHOLD = 2.418;
const REPEATS = 3;
/** Seconds; a GPU that is only simulated takes longer. */
const LONGEST_WARM_UP = 2;

/** How fast kernels are on {@link problem}, each figure of the best of a few calls. */
export interface KernelSpeed {
  /** Multiplications and additions of the encoder product, 10⁹ per second, selection included. */
  readonly encodeGflops: number;
  /** Entries of a code whose directions are added up, 10⁶ per second. */
  readonly decodeMegaentries: number;
  /** What was encoded; the same on all kernels. */
  readonly code: SparseCode;
}

/** A batch of activations and an encoder, whose rows also serve as directions. */
export interface KernelProblem {
  readonly x: Matrix;
  readonly encoder: Matrix;
}

/** Random rows of length about √width, random latents of length about 1. */
export function drawProblem(): KernelProblem {
  const random = seededRandom(1);
  const draw = (rows: number, scale: number): Matrix => {
    const m = zeros(rows, problem.width);
    for (let at = 0; at < m.values.length; at++) m.values[at] = scale * normal(random);
    return m;
  };
  return { x: draw(problem.rows, 1), encoder: draw(problem.latents, 1 / Math.sqrt(problem.width)) };
}

/** Time `kernels`. */
export async function measureKernels(kernels: Kernels, { x, encoder }: KernelProblem): Promise<KernelSpeed> {
  const bias = new Float32Array(encoder.rows);
  const threshold = new Float32Array(encoder.rows).fill(THRESHOLD);
  const encoded = await best(() => kernels.encode(x, encoder, bias, { kind: "threshold", threshold }));
  const code = encoded.result;
  const decoded = await best(() => kernels.decode(code, encoder, x, -1));
  return {
    encodeGflops: (2 * x.rows * x.columns * encoder.rows) / encoded.seconds / 1e9,
    decodeMegaentries: code.indices.length / decoded.seconds / 1e6,
    code,
  };
}

/** Time of the fastest of several calls; the first counts only where it is so slow that there is no other. */
async function best<Result>(call: () => Promise<Result>): Promise<{ result: Result; seconds: number }> {
  let best = await timed(call);
  if (best.seconds > LONGEST_WARM_UP) return best;
  best = await timed(call);
  for (let repeat = 1; repeat < REPEATS; repeat++) {
    const next = await timed(call);
    if (next.seconds < best.seconds) best = next;
  }
  return best;
}

async function timed<Result>(call: () => Promise<Result>): Promise<{ result: Result; seconds: number }> {
  const start = performance.now();
  const result = await call();
  return { result, seconds: (performance.now() - start) / 1000 };
}
