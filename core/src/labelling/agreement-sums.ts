import { ShapeError } from "../errors.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import {
  type ActivationMoments,
  addMoments,
  correlationOf,
  emptyMoments,
  mergeMoments,
} from "./activation-moments.ts";

/**
 * Running sums for how each donor latent's firing agrees with that of its match in the host: decoder cosine alone can lie.
 *
 * A plain value; sums over two stretches of a sample merge. f is the donor latent's activation, g its match's.
 */
export interface AgreementSums {
  /** Match of each donor latent, [donor latents]. */
  readonly match: Int32Array;
  readonly donor: ActivationMoments;
  readonly host: ActivationMoments;
  /** Tokens on which both fire, [donor latents]. */
  readonly together: Float64Array;
  /** Σ f g, [donor latents]. */
  readonly product: Float64Array;
}

/** How a latent's firing agrees with its match's; NaN where it is undefined because one of them never fires or never varies. */
export interface Agreement {
  /** Pearson correlation of the two activations over all tokens, [donor latents]. */
  readonly correlation: Float64Array;
  /** Share of the latent's firings on which its match fires too, [donor latents]. */
  readonly precision: Float64Array;
  /** Share of its match's firings on which the latent fires too, [donor latents]. */
  readonly recall: Float64Array;
}

/** Sums over no tokens, for donor latents whose matches among `hostLatents` are given. */
export function emptyAgreementSums(match: Int32Array, hostLatents: number): AgreementSums {
  return {
    match,
    donor: emptyMoments(match.length),
    host: emptyMoments(hostLatents),
    together: new Float64Array(match.length),
    product: new Float64Array(match.length),
  };
}

/** Add the codes of the same tokens by host and donor, in place. */
export function addAgreement(sums: AgreementSums, host: SparseCode, donor: SparseCode): void {
  addMoments(sums.host, host);
  addMoments(sums.donor, donor);
  const activationOf = new Float32Array(host.columns);
  for (let token = 0; token < host.rows; token++) {
    for (let e = host.offsets[token]; e < host.offsets[token + 1]; e++)
      activationOf[host.indices[e]] = host.values[e];
    for (let e = donor.offsets[token]; e < donor.offsets[token + 1]; e++) {
      const latent = donor.indices[e];
      const matched = activationOf[sums.match[latent]];
      if (matched > 0) {
        sums.together[latent] += 1;
        sums.product[latent] += donor.values[e] * matched;
      }
    }
    for (let e = host.offsets[token]; e < host.offsets[token + 1]; e++) activationOf[host.indices[e]] = 0;
  }
}

/** The sums over the tokens of both. */
export function mergeAgreementSums(a: AgreementSums, b: AgreementSums): AgreementSums {
  if (a.match.length !== b.match.length || a.match.some((match, latent) => match !== b.match[latent])) {
    throw new ShapeError("Cannot merge agreement sums whose latents are matched differently");
  }
  return {
    match: a.match,
    donor: mergeMoments(a.donor, b.donor),
    host: mergeMoments(a.host, b.host),
    together: added(a.together, b.together),
    product: added(a.product, b.product),
  };
}

/**
 * Correlation, precision and recall of each donor latent and its match, over `tokens` tokens on which each latent of host and
 * donor fired as often as `hostFirings` and `donorFirings` say.
 */
export function agreement(
  { match, donor, host, together, product }: AgreementSums,
  tokens: number,
  hostFirings: Float64Array,
  donorFirings: Float64Array,
): Agreement {
  const correlation = new Float64Array(match.length);
  const precision = new Float64Array(match.length);
  const recall = new Float64Array(match.length);
  for (let latent = 0; latent < match.length; latent++) {
    const matched = match[latent];
    correlation[latent] = correlationOf(product[latent], tokens, [donor, latent], [host, matched]);
    precision[latent] = together[latent] / donorFirings[latent];
    recall[latent] = together[latent] / hostFirings[matched];
  }
  return { correlation, precision, recall };
}

function added(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + b[i]);
}
