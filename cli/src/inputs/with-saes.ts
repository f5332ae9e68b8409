import type { Kernels } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import type { Context } from "../context.ts";
import { progressMode, type StartProgress, startProgress } from "../terminal/progress.ts";
import { openSaeInput } from "./open-sae-input.ts";
import type { SaeInput } from "./provenance.ts";

/** What a command that looks at SAEs without activations works with. */
export interface OpenedSaes {
  /** In the order of their addresses. */
  readonly saes: readonly SaeInput[];
  readonly kernels: Kernels;
  readonly startProgress: StartProgress;
}

/** Open SAEs and kernels, do `work` with them, and close the kernels, whatever comes of it. */
export async function withSaes<Result>(
  addresses: readonly string[],
  options: { readonly threads: number | undefined; readonly quiet: boolean; readonly json: boolean },
  { stderr }: Context,
  work: (opened: OpenedSaes) => Promise<Result>,
): Promise<Result> {
  const start: StartProgress = (work) => startProgress(stderr, work, { mode: progressMode(stderr, options) });
  const saes: SaeInput[] = [];
  for (const address of addresses) saes.push(await openSaeInput(address, { stderr, startProgress: start }));
  const { threads } = options;
  const kernels = await openKernels(threads === undefined ? {} : { threads });
  try {
    return await work({ saes, kernels, startProgress: start });
  } finally {
    await kernels.close();
  }
}
