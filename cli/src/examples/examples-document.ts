import type { FoundExamples, LatentExamples, TokenExample, TokenFirings, Tokenizer } from "@saestitch/models";
import type { SaeInput, SampleRecord } from "../inputs/provenance.ts";
import { describeSae, type SaeDescription } from "../inputs/sae-record.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";

/** Version of the document; docs/examples-output.md describes every field. */
export const EXAMPLES_SCHEMA = "saestitch.examples/1";

/** Examples of some latents, and what they were found in. */
export interface ExamplesRun {
  readonly input: SaeInput;
  readonly sample: SampleRecord;
  readonly tokenizer: Pick<Tokenizer, "location" | "pieces">;
  readonly activationScale: number | null;
  readonly found: FoundExamples;
}

/** A place where a latent fires; activations are those of the latent. */
export interface PlaceRecord {
  readonly row: number;
  readonly document: number | null;
  readonly position: number;
  readonly activation: number;
  readonly at: number;
  readonly tokenIds: readonly number[];
  readonly pieces: readonly string[];
  readonly activations: readonly number[];
  readonly continues: boolean;
}

/** How a latent fires on a token of the vocabulary. */
export interface TokenRecord extends TokenFirings {
  readonly text: string;
}

/** A latent and where it fires. */
export interface LatentRecord {
  readonly latent: number;
  readonly fires: number;
  readonly share: number | null;
  readonly mean: number | null;
  readonly max: number;
  readonly frequentTokens: readonly TokenRecord[];
  readonly strongTokens: readonly TokenRecord[];
  readonly strongest: readonly PlaceRecord[];
  readonly quantiles: readonly (PlaceRecord & { readonly quantile: number })[];
}

/** What `examples --json` prints. Numbers that are not defined are null. */
export interface ExamplesDocument {
  readonly schema: typeof EXAMPLES_SCHEMA;
  readonly sae: SaeDescription;
  readonly activations: { readonly location: string; readonly rows: number };
  readonly activationScale: number | null;
  readonly tokenizer: string;
  readonly tokens: number;
  readonly excluded: { readonly rows: number; readonly tokens: readonly number[] };
  readonly nonFinite: number;
  readonly latents: readonly LatentRecord[];
}

/** The document of some examples. Throws DataError for tokens that the tokenizer does not have. */
export function examplesDocument({
  input,
  sample,
  tokenizer,
  activationScale,
  found,
}: ExamplesRun): ExamplesDocument {
  return {
    schema: EXAMPLES_SCHEMA,
    sae: describeSae(input),
    activations: { location: sample.location, rows: sample.rows },
    activationScale,
    tokenizer: tokenizer.location,
    tokens: found.tokens,
    excluded: { rows: found.excluded, tokens: sample.excludedTokens },
    nonFinite: found.nonFinite,
    latents: found.latents.map((latent) => latentRecord(latent, found.tokens, tokenizer)),
  };
}

type Pieces = Pick<Tokenizer, "pieces">;

function latentRecord(
  {
    latent,
    fires,
    mean,
    max,
    frequentTokens,
    strongTokens,
    strongest,
    quantiles,
  }: LatentExamples & { readonly latent: number },
  tokens: number,
  tokenizer: Pieces,
): LatentRecord {
  return {
    latent,
    fires,
    share: finiteOrNull(fires / tokens),
    mean: finiteOrNull(mean),
    max,
    frequentTokens: frequentTokens.map((firings) => tokenRecord(firings, tokenizer)),
    strongTokens: strongTokens.map((firings) => tokenRecord(firings, tokenizer)),
    strongest: strongest.map((example) => placeRecord(example, tokenizer)),
    quantiles: quantiles.map(({ quantile, ...example }) => ({
      quantile,
      ...placeRecord(example, tokenizer),
    })),
  };
}

function tokenRecord(firings: TokenFirings, tokenizer: Pieces): TokenRecord {
  const { token } = firings;
  // The first token of a text may lose its space in decoding, a second does not.
  return { ...firings, text: tokenizer.pieces([token, token])[1] };
}

function placeRecord(
  { row, document, position, activation, at, tokenIds, activations, continues }: TokenExample,
  tokenizer: Pieces,
): PlaceRecord {
  return {
    row,
    document: document ?? null,
    position,
    activation,
    at,
    tokenIds: Array.from(tokenIds),
    pieces: tokenizer.pieces(tokenIds),
    activations: Array.from(activations),
    continues,
  };
}
