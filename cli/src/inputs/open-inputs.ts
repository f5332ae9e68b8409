import type { Kernels, ResidualReading } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import type { Context } from "../context.ts";
import type { OutputStream } from "../terminal/output-stream.ts";
import { progressMode, type StartProgress, startProgress } from "../terminal/progress.ts";
import { applyActivationScale, estimateActivationScale } from "./activation-scale.ts";
import { openSaeInput } from "./open-sae-input.ts";
import { openSample, type Sample } from "./open-sample.ts";
import type { SaeInput } from "./provenance.ts";
import { type ReadingOptions, requireSample } from "./sample-options.ts";

/** What a command that measures SAEs on activations works with. */
export interface Inputs {
  /** In the order of their addresses; the factor of the activations is folded in where one was given. */
  readonly saes: readonly SaeInput[];
  /** Which of them read what another leaves; absent when all read the activations. */
  readonly residualOf?: ResidualReading;
  readonly sample: Sample;
  readonly kernels: Kernels;
  /** The factor given for SAEs that expect scaled activations, null where none was. */
  readonly activationScale: number | null;
  readonly startProgress: StartProgress;
}

/** Open SAEs, activations and kernels, do `work` with them, and close what must be closed, whatever comes of it. */
export async function withInputs<Result>(
  addresses: readonly string[],
  options: ReadingOptions,
  context: Context,
  work: (inputs: Inputs) => Promise<Result>,
): Promise<Result> {
  requireSample(options);
  const { stderr } = context;
  const start: StartProgress = (work) => startProgress(stderr, work, { mode: progressMode(stderr, options) });
  const closers: (() => Promise<void>)[] = [];
  try {
    const opened: SaeInput[] = [];
    for (const address of addresses)
      opened.push(await openSaeInput(address, { stderr, startProgress: start }));
    announceWarnings(opened, stderr);
    const sample = await openSample(options, opened, { stderr, startProgress: start });
    closers.push(sample.close);
    const kernels = await openKernels(options.threads === undefined ? {} : { threads: options.threads });
    closers.push(() => kernels.close());
    const { saes, factor } = await applyActivationScale(
      opened.map(({ sae }) => sae),
      options["activation-scale"],
      () =>
        estimateActivationScale(sample.source, {
          end: sample.rows,
          skipNonFinite: options["skip-nonfinite"],
          batchRows: options["batch-rows"],
        }),
    );
    return await work({
      saes: opened.map((input, i) => ({ ...input, sae: saes[i] })),
      sample,
      kernels,
      activationScale: factor,
      startProgress: start,
    });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** Say on standard error what is to be known of some SAEs. */
export function announceWarnings(saes: readonly SaeInput[], stderr: OutputStream): void {
  for (const { sae, location } of saes)
    for (const warning of sae.origin.warnings ?? []) stderr.write(`warning: ${location}: ${warning}\n`);
}

/** What `options` say of the reading of activations, as records and keys hold it. */
export function readingRecord(
  options: ReadingOptions,
  { sample, activationScale }: Pick<Inputs, "sample" | "activationScale">,
) {
  return {
    rows: sample.rows,
    column: options.column ?? null,
    excludeTokens: sample.excludedTokens,
    skipNonFinite: options["skip-nonfinite"],
    activationScale,
    batchRows: options["batch-rows"],
  };
}
