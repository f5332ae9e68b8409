import type { ActivationSource } from "../activations/activation-source.ts";
import { DataError, UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type Random, seededRandom } from "../linalg/random.ts";
import { type ReconstructionMetrics, reconstructionMetrics } from "../metrics/reconstruction.ts";
import type { Sae } from "../sae/sae.ts";
import { agreement } from "./agreement-sums.ts";
import { type CosineNull, type CosinePredictor, cosineNull, judgeCosine } from "./cosine-predictor.ts";
import { checkJointGating, type Gating } from "./gating.ts";
import { type BiasRule, insertionEffect } from "./insertion-effect.ts";
import type { LabelSums } from "./label-sums.ts";
import { emptyLabelSums, measureInsertion, type Pair } from "./measure-insertion.ts";
import { decideVerdicts, type Verdict } from "./verdict.ts";

/** What labelling says of each latent of the larger SAE; every column is [m]. */
export interface LatentColumns {
  readonly verdict: readonly Verdict[];
  /** Change of the MSE per element when the latent alone is inserted into the smaller SAE; lower is better, negative improves. */
  readonly deltaMse: Float64Array;
  /** Standard error of `deltaMse`, tokens summed within documents first. */
  readonly standardError: Float64Array;
  /** Two-sided p-value of `deltaMse` = 0; NaN for dead latents. */
  readonly pValue: Float64Array;
  /** Best output scale α: above ½ insertion improves, between 0 and ½ it overshoots. */
  readonly scale: Float64Array;
  /** Share of tokens on which the latent fires in its own SAE. */
  readonly density: Float64Array;
  /** Highest decoder cosine to a latent of the smaller SAE. */
  readonly cosine: Float32Array;
  /** That latent of the smaller SAE. */
  readonly match: Int32Array;
  /** Pearson correlation of the latent's activation with its match's. */
  readonly agreement: Float64Array;
  /** Share of the latent's firings on which its match fires too. */
  readonly matchPrecision: Float64Array;
  /** Share of its match's firings on which the latent fires too. */
  readonly matchRecall: Float64Array;
}

/** The labels of all latents of the larger SAE, with the evidence. */
export interface Labels {
  readonly tokens: number;
  /** Documents the standard errors rest on; equal to `tokens` when the sample does not know its documents. */
  readonly documents: number;
  /** Rows left out because the source marks them. */
  readonly excluded: number;
  /** Rows left out because they hold NaN or infinite values. */
  readonly nonFinite: number;
  readonly options: LabelOptions;
  readonly smaller: ReconstructionMetrics;
  readonly larger: ReconstructionMetrics;
  readonly latents: LatentColumns;
  readonly predictor: CosinePredictor & { readonly null: CosineNull };
}

export interface LabelOptions {
  readonly gating: Gating;
  readonly bias: BiasRule;
  /** Share of wrong signs tolerated among the decided latents (Benjamini–Hochberg). */
  readonly falseDiscoveryRate: number;
  /** Of the bootstrap and of the random directions. */
  readonly seed: number;
}

export const defaultLabelOptions: LabelOptions = {
  gating: "independent",
  bias: "host",
  falseDiscoveryRate: 0.05,
  seed: 0,
};

/** Throw UnsupportedError for options that exclude each other or do not apply to these SAEs. */
export function checkLabelOptions(smaller: Sae, larger: Sae, { gating, bias }: LabelOptions): void {
  if (gating === "joint") checkJointGating(smaller, larger);
  if (gating === "joint" && bias === "refit") {
    throw new UnsupportedError(
      "The bias cannot be re-fitted under joint gating: an entering latent also evicts one, which shifts the mean residual in a way that is not summed. Use --bias host or --gating independent",
    );
  }
}

/** Match every latent of `larger` to the latent of `smaller` with the highest decoder cosine. */
export async function pairSaes(
  smaller: Sae,
  larger: Sae,
  kernels: Kernels,
): Promise<Pair & { readonly cosine: Float32Array }> {
  const { indices, cosines } = await kernels.match(larger.decoder, smaller.decoder, 1);
  return { smaller, larger, match: indices, cosine: cosines };
}

/**
 * Labels from what `measureInsertion` measured on the whole sample.
 *
 * The sign of ΔMSE is the definition of novel and reconstruction, the cosine only its cheap predictor. Throws
 * {@link DataError} when no token counted, UnsupportedError for options that exclude each other.
 */
export async function labelLatents(
  pair: Pair & { readonly cosine: Float32Array },
  sums: LabelSums,
  kernels: Kernels,
  options: LabelOptions = defaultLabelOptions,
): Promise<Labels> {
  if (sums.insertion.tokens === 0) {
    throw new DataError(
      `No token of rows ${sums.start}–${sums.end} counts: ${sums.excluded} are excluded, ${sums.nonFinite} not finite`,
    );
  }
  const smaller = reconstructionMetrics(sums.smaller);
  const larger = reconstructionMetrics(sums.larger);
  const { documents, ...effect } = insertionEffect(sums.insertion, pair.larger.decoder, {
    bias: options.bias,
    meanResidual: smaller.meanResidual,
  });
  const { tokens } = sums.insertion;
  const fired = sums.larger.firings;
  const { verdict, pValue } = decideVerdicts(
    effect.deltaMse,
    effect.standardError,
    fired,
    options.falseDiscoveryRate,
  );
  const functional = agreement(sums.agreement, tokens, sums.smaller.firings, fired);
  const random: Random = seededRandom(options.seed);
  return {
    tokens,
    documents,
    excluded: sums.excluded,
    nonFinite: sums.nonFinite,
    options,
    smaller,
    larger,
    latents: {
      verdict,
      ...effect,
      pValue,
      density: larger.density,
      cosine: pair.cosine,
      match: pair.match,
      agreement: functional.correlation,
      matchPrecision: functional.precision,
      matchRecall: functional.recall,
    },
    predictor: {
      ...judgeCosine(pair.cosine, effect.deltaMse, fired, random),
      null: await cosineNull(pair.smaller.decoder, kernels, random),
    },
  };
}

/** Label every latent of `larger` against `smaller` in one pass over `source`: `pairSaes`, `measureInsertion`, `labelLatents`. */
export async function label(
  smaller: Sae,
  larger: Sae,
  source: ActivationSource,
  kernels: Kernels,
  {
    skipNonFinite = false,
    onBatch = () => {},
    ...chosen
  }: Partial<LabelOptions> & {
    readonly skipNonFinite?: boolean;
    /** Called after every batch with the number of rows done. */
    readonly onBatch?: (rows: number) => void;
  } = {},
): Promise<Labels> {
  const options = { ...defaultLabelOptions, ...chosen };
  checkLabelOptions(smaller, larger, options);
  const pair = await pairSaes(smaller, larger, kernels);
  let sums = () => emptyLabelSums(pair);
  for await (const measured of measureInsertion(pair, source, kernels, {
    gating: options.gating,
    skipNonFinite,
  })) {
    onBatch(measured.end);
    sums = measured.sums;
  }
  return labelLatents(pair, sums(), kernels, options);
}
