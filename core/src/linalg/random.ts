/** A source of uniform numbers in [0, 1). Always an argument, never a global. */
export type Random = () => number;

/** Seeded generator: sfc32 (Chris Doty-Humphrey, PractRand), its state filled from `seed` by splitmix32. */
export function seededRandom(seed: number): Random {
  let s = seed | 0;
  const splitmix = () => {
    s = (s + 0x9e3779b9) | 0;
    let z = s ^ (s >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
  let a = splitmix();
  let b = splitmix();
  let c = splitmix();
  let counter = 1;
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** One draw from the standard normal distribution (Box–Muller, one of the pair). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A direction drawn uniformly from the unit sphere in R^d, written into `out` [d]. */
export function randomDirection(random: Random, out: Float32Array): void {
  let squares = 0;
  for (let i = 0; i < out.length; i++) {
    const value = normal(random);
    out[i] = value;
    squares += value * value;
  }
  const scale = 1 / Math.sqrt(squares);
  for (let i = 0; i < out.length; i++) out[i] = out[i] * scale;
}

/** Put `items` in an order drawn uniformly from all orders, in place (Fisher and Yates). Gives the same `items`. */
export function shuffle<Items extends unknown[] | Int32Array>(items: Items, random: Random): Items {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}
