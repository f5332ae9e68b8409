import { DataError } from "../errors.ts";
import { type Random, seededRandom } from "../linalg/random.ts";

/** Which rows of a batch fall to which half of a sample, and the document of each. */
export interface SplitRows {
  /** Rows of the batch, ascending. */
  readonly rows: Int32Array;
  /** [rows] running number of the document each row belongs to, over both halves. */
  readonly documents: Int32Array;
}

/** The rows of a batch, told apart. */
export interface SplitBatch {
  readonly selection: SplitRows;
  readonly evaluation: SplitRows;
}

/** How many documents and tokens each half of a sample holds. */
export interface HalvesCounts {
  /** `token`: the sample does not know its documents, so each token was taken for a document of its own. */
  readonly unit: "document" | "token";
  readonly selection: { readonly documents: number; readonly tokens: number };
  readonly evaluation: { readonly documents: number; readonly tokens: number };
}

/**
 * Deals out the documents of a sample, batch by batch, to a half for selecting latents and a half for final figures.
 *
 * Documents come in pairs, and a coin decides which of a pair goes to selection; a document left over at the end tosses its own.
 * So the halves differ by one document at most, and which half a document falls to depends on the seed and its place alone, not
 * on where batches end.
 */
export class DocumentHalves {
  readonly #coin: Random;
  #isDealt = false;
  #documentId = 0;
  /** Number of the current document; −1 before the first. */
  #document = -1;
  #toSelection = false;
  #unit: HalvesCounts["unit"] = "document";
  readonly #documents = { selection: 0, evaluation: 0 };
  readonly #tokens = { selection: 0, evaluation: 0 };

  constructor(seed: number) {
    this.#coin = seededRandom(seed);
  }

  /** Deal out the next `count` rows; `documentIds` [count], of which equal neighbours are one document. */
  deal(count: number, documentIds?: Int32Array): SplitBatch {
    const halves = { selection: new RowList(count), evaluation: new RowList(count) };
    if (documentIds === undefined) this.#unit = "token";
    for (let i = 0; i < count; i++) {
      if (!this.#isDealt || documentIds === undefined || documentIds[i] !== this.#documentId) {
        this.#turn();
        this.#documentId = documentIds?.[i] ?? 0;
      }
      const half = this.#toSelection ? "selection" : "evaluation";
      halves[half].add(i, this.#document);
      this.#tokens[half]++;
    }
    return { selection: halves.selection.toRows(), evaluation: halves.evaluation.toRows() };
  }

  /** What has been dealt out so far. */
  counts(): HalvesCounts {
    const of = (half: "selection" | "evaluation") => ({
      documents: this.#documents[half],
      tokens: this.#tokens[half],
    });
    return { unit: this.#unit, selection: of("selection"), evaluation: of("evaluation") };
  }

  #turn(): void {
    this.#isDealt = true;
    this.#document++;
    this.#toSelection = this.#document % 2 === 0 ? this.#coin() < 0.5 : !this.#toSelection;
    this.#documents[this.#toSelection ? "selection" : "evaluation"]++;
  }
}

/** Throw {@link DataError} unless both halves hold a document. */
export function checkHalves({ unit, selection, evaluation }: HalvesCounts, location: string): void {
  const documents = selection.documents + evaluation.documents;
  if (documents >= 2) return;
  throw new DataError(
    `Cannot split ${location} into a half for selection and one for final figures: it holds ${documents} ${unit}${documents === 1 ? "" : "s"} that count${documents === 1 ? "s" : ""}, ` +
      "and at least 2 are needed. Use a longer sample, or one whose document ids tell its texts apart",
  );
}

class RowList {
  readonly #rows: Int32Array;
  readonly #documents: Int32Array;
  #count = 0;

  constructor(most: number) {
    this.#rows = new Int32Array(most);
    this.#documents = new Int32Array(most);
  }

  add(row: number, document: number): void {
    this.#rows[this.#count] = row;
    this.#documents[this.#count++] = document;
  }

  toRows(): SplitRows {
    return { rows: this.#rows.slice(0, this.#count), documents: this.#documents.slice(0, this.#count) };
  }
}
