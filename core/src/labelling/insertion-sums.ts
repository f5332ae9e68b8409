import { ShapeError } from "../errors.ts";
import { type DocumentRun, OpenDocument } from "./document-run.ts";

/**
 * Running sums from which the effect of inserting any one donor latent into the host follows exactly.
 *
 * A plain value: the sums over two consecutive stretches of a sample merge into the sums over both. All arrays have one
 * element per donor latent; f is a latent's activation in the units of the input, w its direction, r the host's residual.
 */
export interface InsertionSums {
  readonly latents: number;
  /** Tokens that counted. */
  tokens: number;
  /** Tokens on which the latent entered the host. */
  readonly fired: Float64Array;
  /** Σ f */
  readonly activation: Float64Array;
  /** Σ f² */
  readonly activationSquared: Float64Array;
  /** Σ f ⟨w, r⟩ */
  readonly projected: Float64Array;
  /** Σ of the change that evicting the host's weakest latent makes by itself; zero unless latents compete. */
  readonly evicted: Float64Array;
  /** Over finished documents, with S and F a document's sums of ΔSSE and f, and N its tokens. */
  readonly documents: {
    count: number;
    /** Σ N² */
    tokensSquared: number;
    /** Σ S² */
    readonly deltaSquared: Float64Array;
    /** Σ S N */
    readonly deltaTokens: Float64Array;
    /** Σ F² */
    readonly activationSquared: Float64Array;
    /** Σ F N */
    readonly activationTokens: Float64Array;
    /** Σ S F */
    readonly deltaActivation: Float64Array;
  };
  /** The first document, whose beginning may lie before this stretch; null while no document has been met. */
  first: DocumentRun | null;
  /** The last document, whose end may lie after this stretch; null while the first is still the only one. */
  last: DocumentRun | null;
}

const columns = ["fired", "activation", "activationSquared", "projected", "evicted"] as const;
const documentColumns = [
  "deltaSquared",
  "deltaTokens",
  "activationSquared",
  "activationTokens",
  "deltaActivation",
] as const;

/** Sums over no tokens. */
export function emptyInsertionSums(latents: number): InsertionSums {
  const zeros = () => new Float64Array(latents);
  return {
    latents,
    tokens: 0,
    fired: zeros(),
    activation: zeros(),
    activationSquared: zeros(),
    projected: zeros(),
    evicted: zeros(),
    documents: {
      count: 0,
      tokensSquared: 0,
      deltaSquared: zeros(),
      deltaTokens: zeros(),
      activationSquared: zeros(),
      activationTokens: zeros(),
      deltaActivation: zeros(),
    },
    first: null,
    last: null,
  };
}

/** The sums over two consecutive stretches of one sample, `a` before `b`; a document cut between them is made whole. */
export function mergeInsertionSums(a: InsertionSums, b: InsertionSums): InsertionSums {
  if (a.latents !== b.latents) {
    throw new ShapeError(`Cannot merge sums over ${a.latents} latents with sums over ${b.latents}`);
  }
  const sums = structuredClone(a);
  sums.tokens += b.tokens;
  for (const column of columns) addInto(sums[column], b[column]);
  sums.documents.count += b.documents.count;
  sums.documents.tokensSquared += b.documents.tokensSquared;
  for (const column of documentColumns) addInto(sums.documents[column], b.documents[column]);

  const runs = [a.first, a.last, b.first, b.last].filter((run) => run !== null);
  for (let i = 0; i + 1 < runs.length; i++) {
    if (runs[i].documentId === runs[i + 1].documentId)
      runs.splice(i, 2, joined(runs[i], runs[i + 1], a.latents));
  }
  sums.first = runs[0] ?? null;
  sums.last = runs.length > 1 ? runs[runs.length - 1] : null;
  for (const run of runs.slice(1, -1)) finishDocument(sums, run);
  return sums;
}

/** The sums with their first and last document finished too: what statistics are made of, once the sample has ended. */
export function finishInsertionSums(unfinished: InsertionSums): InsertionSums {
  const sums = structuredClone(unfinished);
  for (const run of [sums.first, sums.last]) if (run !== null) finishDocument(sums, run);
  sums.first = null;
  sums.last = null;
  return sums;
}

/** Square a finished document's sums into `sums`, in place. */
export function finishDocument(sums: InsertionSums, run: DocumentRun): void {
  const documents = sums.documents;
  documents.count += 1;
  documents.tokensSquared += run.tokens * run.tokens;
  for (let i = 0; i < run.latents.length; i++) {
    const latent = run.latents[i];
    const delta = run.deltaSse[i];
    const activation = run.activation[i];
    documents.deltaSquared[latent] += delta * delta;
    documents.deltaTokens[latent] += delta * run.tokens;
    documents.activationSquared[latent] += activation * activation;
    documents.activationTokens[latent] += activation * run.tokens;
    documents.deltaActivation[latent] += delta * activation;
  }
}

function joined(a: DocumentRun, b: DocumentRun, latents: number): DocumentRun {
  const document = new OpenDocument(latents);
  document.begin(a.documentId);
  document.addRun(a);
  document.addRun(b);
  return document.toRun();
}

function addInto(target: Float64Array, addend: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i] += addend[i];
}
