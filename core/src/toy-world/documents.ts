import type { ActivationBatch, ActivationSource } from "../activations/activation-source.ts";
import { type BatchOptions, batchRanges, resolveBatchOptions } from "../activations/batch-range.ts";
import { normal, type Random, randomDirection, seededRandom } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateInt32 } from "../tensor/shared.ts";
import type { Family, Variant } from "./families.ts";

/** Token id of the row that begins each document. */
export const BOS_TOKEN = 1;
/** Token id of a row without any feature; a row's id is otherwise this plus 1 plus its strongest family's last-named feature. */
export const EMPTY_TOKEN = 2;

/** Rows of the documents, BOS counted; document i has the length at i modulo their number, so that any row is found at once. */
const DOCUMENT_LENGTHS = [27, 19, 35, 23, 31, 21, 33, 27];
const CYCLE_ROWS = DOCUMENT_LENGTHS.reduce((total, length) => total + length, 0);
const TOPICS = 16;
/** How much more often a family occurs in documents of its topics than of others: factors before they are scaled to mean 1. */
const ON_TOPIC = 2;
const OFF_TOPIC = 0.6;
const BOS_NORM = 60;
/** Strengths are log-normal with median 1 and this deviation of the logarithm. */
const STRENGTH_SPREAD = 0.2;
/** E a² of those strengths. */
export const STRENGTH_MEAN_SQUARE = Math.exp(2 * STRENGTH_SPREAD ** 2);

/** What tokens are made of: x = mean + Σ strength · direction + noise. */
export interface Texts {
  readonly seed: number;
  readonly families: readonly Family[];
  /** [features × d], unit rows. */
  readonly directions: Matrix;
  /** [d] */
  readonly mean: Float32Array;
  /** Standard deviation of the noise in each of the d dimensions. */
  readonly noise: number;
}

/** Endless documents, cut after `count`: each is a pure function of the seed and its number, so nothing is kept in memory. */
export function toyDocuments(texts: Texts, count: number): ActivationSource {
  const source = {
    location: `toy world (seed ${texts.seed}, ${count} documents)`,
    d: texts.directions.columns,
    rows: documentStart(count),
  };
  const topics = drawTopics(texts);
  return {
    ...source,
    async *batches(options?: BatchOptions) {
      const resolved = resolveBatchOptions(source, options);
      let current: WrittenDocument | undefined;
      for (const { start, end } of batchRanges(resolved)) {
        const batch = emptyBatch(start, end - start, source.d);
        for (let position = start; position < end; ) {
          if (current === undefined || position >= current.start + current.rows.rows)
            current = writeDocument(texts, topics, documentOf(position));
          const from = position - current.start;
          const to = Math.min(current.rows.rows, end - current.start);
          const at = position - start;
          batch.activations.values.set(
            current.rows.values.subarray(from * source.d, to * source.d),
            at * source.d,
          );
          batch.tokenIds.set(current.tokenIds.subarray(from, to), at);
          batch.documentIds.fill(current.index, at, at + to - from);
          if (from === 0) batch.excluded[at] = 1;
          position += to - from;
        }
        yield batch;
      }
    },
  };
}

interface WrittenDocument {
  readonly index: number;
  /** Row of the sample that is its first. */
  readonly start: number;
  readonly rows: Matrix;
  readonly tokenIds: Int32Array;
}

interface Topics {
  /** Ascending to 1: a document has the first topic whose entry is above a uniform draw. */
  readonly cumulative: Float64Array;
  /** [topics × families]: share of the tokens of such a document on which the family occurs. */
  readonly rates: Float64Array;
  readonly bos: Float32Array;
}

function emptyBatch(start: number, rows: number, d: number): Required<ActivationBatch> {
  return {
    start,
    activations: zeros(rows, d),
    documentIds: allocateInt32(rows),
    tokenIds: allocateInt32(rows),
    excluded: new Uint8Array(rows),
  };
}

/** Row of the sample that is the first of document `index`. */
export function documentStart(index: number): number {
  const position = index % DOCUMENT_LENGTHS.length;
  let start = ((index - position) / DOCUMENT_LENGTHS.length) * CYCLE_ROWS;
  for (let i = 0; i < position; i++) start += DOCUMENT_LENGTHS[i];
  return start;
}

function documentOf(position: number): number {
  let rest = position % CYCLE_ROWS;
  let index = ((position - rest) / CYCLE_ROWS) * DOCUMENT_LENGTHS.length;
  for (let i = 0; rest >= DOCUMENT_LENGTHS[i]; i++) {
    rest -= DOCUMENT_LENGTHS[i];
    index++;
  }
  return index;
}

function drawTopics({ seed, families, directions }: Texts): Topics {
  const random = seededRandom(seed ^ 0x70b1c5);
  const popularity = Array.from({ length: TOPICS }, (_, topic) => 1 / (topic + 4));
  const total = popularity.reduce((sum, weight) => sum + weight, 0);
  const cumulative = new Float64Array(TOPICS);
  let reached = 0;
  popularity.forEach((weight, topic) => {
    reached += weight / total;
    cumulative[topic] = reached;
  });
  const rates = new Float64Array(TOPICS * families.length);
  families.forEach(({ rate }, f) => {
    const factors = popularity.map(() => (random() < 0.25 ? ON_TOPIC : OFF_TOPIC));
    const mean = factors.reduce((sum, factor, topic) => sum + (factor * popularity[topic]) / total, 0);
    factors.forEach((factor, topic) => {
      rates[topic * families.length + f] = (rate * factor) / mean;
    });
  });
  const bos = new Float32Array(directions.columns);
  randomDirection(random, bos);
  return { cumulative, rates, bos: bos.map((value) => value * BOS_NORM) };
}

function writeDocument(texts: Texts, topics: Topics, index: number): WrittenDocument {
  const { families, directions, mean, noise } = texts;
  const random = documentRandom(texts.seed, index);
  const rows = zeros(DOCUMENT_LENGTHS[index % DOCUMENT_LENGTHS.length], directions.columns);
  const tokenIds = new Int32Array(rows.rows).fill(EMPTY_TOKEN);
  row(rows, 0).set(topics.bos);
  tokenIds[0] = BOS_TOKEN;
  const draw = random();
  const topic = Math.max(
    0,
    topics.cumulative.findIndex((reached) => reached > draw),
  );
  for (let i = 1; i < rows.rows; i++) {
    const x = row(rows, i);
    for (let c = 0; c < x.length; c++) x[c] = mean[c] + noise * normal(random);
    let strongest = 0;
    for (let f = 0; f < families.length; f++) {
      if (random() >= topics.rates[topic * families.length + f]) continue;
      const { generals, specific } = drawVariant(families[f].variants, random);
      const strength = Math.exp(STRENGTH_SPREAD * normal(random));
      for (const general of generals) addScaled(x, strength, row(directions, general));
      if (specific) addScaled(x, strength * specific.strength, row(directions, specific.feature));
      if (strength <= strongest) continue;
      strongest = strength;
      tokenIds[i] = EMPTY_TOKEN + 1 + (specific?.feature ?? generals[generals.length - 1]);
    }
  }
  return { index, start: documentStart(index), rows, tokenIds };
}

/** A generator of the document's own: neighbouring seeds and documents must not share their numbers. */
function documentRandom(seed: number, index: number): Random {
  return seededRandom(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77));
}

function drawVariant(variants: readonly Variant[], random: Random): Variant {
  let rest = random();
  for (const variant of variants) {
    rest -= variant.share;
    if (rest < 0) return variant;
  }
  return variants[variants.length - 1];
}

function addScaled(to: Float32Array, scale: number, direction: Float32Array): void {
  for (let c = 0; c < to.length; c++) to[c] += scale * direction[c];
}
