import { row, type Sae } from "@saestitch/core";

/** Least, middle and greatest of several numbers. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** What an SAE's matrices look like, latent by latent. */
export interface DirectionStatistics {
  /** Lengths of the directions (decoder rows). */
  readonly decoderNorms: Spread;
  /** Cosines between each latent's encoder row and its direction; NaN where one has length 0. */
  readonly encoderDecoderCosines: Spread;
}

/** Measure the directions of an SAE. */
export function directionStatistics({ encoder, decoder }: Sae): DirectionStatistics {
  const norms = new Float64Array(decoder.rows);
  const cosines: number[] = [];
  for (let j = 0; j < decoder.rows; j++) {
    const reads = row(encoder, j);
    const writes = row(decoder, j);
    let product = 0;
    let readSquares = 0;
    let writeSquares = 0;
    for (let c = 0; c < writes.length; c++) {
      product += reads[c] * writes[c];
      readSquares += reads[c] * reads[c];
      writeSquares += writes[c] * writes[c];
    }
    norms[j] = Math.sqrt(writeSquares);
    if (readSquares > 0 && writeSquares > 0) cosines.push(product / Math.sqrt(readSquares * writeSquares));
  }
  return { decoderNorms: spread(norms), encoderDecoderCosines: spread(Float64Array.from(cosines)) };
}

/** Least, median (the mean of the middle two of an even count) and greatest; NaN for no numbers. */
export function spread(values: Float64Array): Spread {
  if (values.length === 0) return { min: Number.NaN, median: Number.NaN, max: Number.NaN };
  const ascending = values.slice().sort();
  const middle = (ascending.length - 1) / 2;
  return {
    min: ascending[0],
    median: (ascending[Math.floor(middle)] + ascending[Math.ceil(middle)]) / 2,
    max: ascending[ascending.length - 1],
  };
}
