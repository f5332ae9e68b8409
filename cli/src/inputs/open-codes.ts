import { homedir } from "node:os";
import { join } from "node:path";
import {
  type CodedSample,
  type CodeStore,
  codeSample,
  foldInputScale,
  memoryCodeStore,
  type ResidualReading,
  type Sae,
} from "@saestitch/core";
import { codeFolderPath, openCodeFolder } from "@saestitch/core/node";
import type { OptionValues } from "../arguments/option.ts";
import type { Context } from "../context.ts";
import { InterruptedError } from "../interruption.ts";
import { formatBytes } from "../terminal/format-number.ts";
import { saestitchVersion } from "../version.ts";
import type { codeOptions } from "./code-options.ts";
import { hashOfHashes } from "./hash-source.ts";
import { type Inputs, readingRecord } from "./open-inputs.ts";
import type { HashedFile, SaeInput } from "./provenance.ts";
import type { ReadingOptions } from "./sample-options.ts";

/** The codes of the SAEs over the sample, and what they were made from. */
export interface OpenCodes {
  readonly coded: CodedSample;
  /** Files of the activations by content. */
  readonly activationFiles: readonly HashedFile[];
  /** Say on standard error where the codes lie, what they take, and whether they had been there. */
  report(): void;
}

/**
 * Open the stores of the codes of all SAEs of `inputs` over its sample. Reading them ends with an {@link InterruptedError} once
 * `signal` is aborted; what was encoded until then is kept.
 */
export async function openCodes(
  inputs: Inputs,
  options: ReadingOptions & OptionValues<typeof codeOptions>,
  { context, signal }: { readonly context: Context; readonly signal: AbortSignal },
): Promise<OpenCodes> {
  const { saes, residualOf = [], sample, kernels } = inputs;
  const activationFiles = await sample.hashFiles(inputs.startProgress);
  const precision = options["code-precision"];
  const { column, excludeTokens, skipNonFinite, activationScale } = readingRecord(options, inputs);
  const stores = await Promise.all(
    saes.map(async ({ hash }, s) => {
      if (options.codes === "memory") return countWrites(memoryCodeStore());
      const key = {
        version: saestitchVersion,
        sae: String(hash),
        variant: keyVariant(saes, residualOf, s),
        activations: hashOfHashes(activationFiles),
        column: JSON.stringify(column),
        excludeTokens: JSON.stringify(excludeTokens),
        skipNonFinite: JSON.stringify(skipNonFinite),
        activationScale: JSON.stringify(activationScale),
        precision,
      };
      const path = codeFolderPath(options.codes ?? join(cacheFolder(), "codes"), key);
      return countWrites(await openCodeFolder(path, { key, precision }));
    }),
  );
  const coded = codeSample(
    saes.map(({ sae }) => withoutInputScale(sae)),
    sample.source,
    kernels,
    { stores: stores.map(({ store }) => store), end: sample.rows, skipNonFinite, residualOf },
  );
  return {
    coded: stoppable(coded, signal, options.codes === "memory"),
    activationFiles,
    report() {
      stores.forEach(({ store, written }, s) => {
        const origin = written() === 0 ? "read; nothing was encoded again" : "encoded now";
        context.stderr.write(
          `codes of ${saes[s].location}: ${formatBytes(store.bytes)} in ${store.location}, ${origin}\n`,
        );
      });
    },
  };
}

/** What tells the codes of SAE number `s` from others of the same files: what was made of it, and what it reads. */
function keyVariant(saes: readonly SaeInput[], residualOf: ResidualReading, s: number): string {
  const { variant = "" } = saes[s];
  const host = residualOf[s];
  if (host === undefined) return variant;
  return `${variant} on what ${saes[host].hash} leaves (${keyVariant(saes, residualOf, host)})`.trim();
}

/** The folder for what can be made again: $SAESTITCH_CACHE, else saestitch in the user's cache folder. */
function cacheFolder(): string {
  const { SAESTITCH_CACHE, XDG_CACHE_HOME } = process.env;
  return SAESTITCH_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "saestitch");
}

/** An SAE that expects scaled activations, its factor folded into its weights where it is known. */
export function withoutInputScale(sae: Sae): Sae {
  const { normalization } = sae;
  return normalization.kind === "expected-average" && normalization.factor !== null
    ? foldInputScale(sae)
    : sae;
}

function countWrites(store: CodeStore): { readonly store: CodeStore; readonly written: () => number } {
  let written = 0;
  const counting: CodeStore = {
    location: store.location,
    get bytes() {
      return store.bytes;
    },
    read: (stretch) => store.read(stretch),
    write(stretch, code) {
      written++;
      return store.write(stretch, code);
    },
  };
  return { store: counting, written: () => written };
}

function stoppable(coded: CodedSample, signal: AbortSignal, inMemory: boolean): CodedSample {
  return {
    ...coded,
    async *batches() {
      for await (const batch of coded.batches()) {
        if (signal.aborted)
          throw new InterruptedError(
            inMemory
              ? "Interrupted; nothing was kept"
              : "Interrupted; the codes made so far are kept, the same command goes on from them",
          );
        yield batch;
      }
    },
  };
}
