/**
 * Allocate `length` zeroed float32 values that worker threads can read without a copy, where the platform allows it
 * (Node always, pages only when cross-origin isolated), and ordinary memory otherwise.
 */
export function allocateFloat32(length: number): Float32Array {
  return new Float32Array(allocate(length * 4), 0, length);
}

/** As {@link allocateFloat32}, for int32 values. */
export function allocateInt32(length: number): Int32Array {
  return new Int32Array(allocate(length * 4), 0, length);
}

/**
 * Give back an array of {@link allocateFloat32} that nobody will read or write again; the next allocation of about its size
 * reuses it. Any other array, a view of part of one included, is left alone.
 *
 * Loops over batches need this: allocating and freeing blocks of a few MiB over and over fragments the heap of the C library,
 * which then holds on to several times what is in use.
 */
export function recycle({ buffer, byteLength }: Float32Array): void {
  if (!ours.has(buffer) || byteLength < LEAST_BLOCK || blockSize(byteLength) !== buffer.byteLength) return;
  const blocks = spare.get(buffer.byteLength) ?? [];
  spare.set(buffer.byteLength, blocks);
  if (blocks.length < MOST_SPARE && !blocks.includes(buffer)) blocks.push(buffer);
}

/** Bytes; the C library serves smaller blocks from where they leave no gaps. */
const LEAST_BLOCK = 2 ** 17;
/** Blocks of one size that are kept for reuse: what a few batches in flight need. */
const MOST_SPARE = 16;
/** Blocks given back, by size in bytes. */
const spare = new Map<number, ArrayBufferLike[]>();

/** Buffers made here. */
const ours = new WeakSet<ArrayBufferLike>();

/** At least `bytes` zeroed bytes. */
function allocate(bytes: number): ArrayBufferLike {
  const size = bytes < LEAST_BLOCK ? bytes : blockSize(bytes);
  const block = spare.get(size)?.pop();
  if (block === undefined) return allocateAnew(size);
  new Uint8Array(block).fill(0);
  return block;
}

/** In steps of a sixteenth of the power of two below, so that batches of nearly one size share blocks. */
function blockSize(bytes: number): number {
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 4);
  return Math.ceil(bytes / step) * step;
}

/**
 * An ordinary buffer for every living shared one. V8 leaves shared memory out when it decides to collect garbage, and a
 * loop over batches would fill the machine before it does. The ordinary buffer counts, and being untouched takes no memory.
 */
const counterparts = new WeakMap<SharedArrayBuffer, ArrayBuffer>();

function allocateAnew(bytes: number): ArrayBufferLike {
  if (typeof SharedArrayBuffer === "undefined") {
    const buffer = new ArrayBuffer(bytes);
    ours.add(buffer);
    return buffer;
  }
  const buffer = new SharedArrayBuffer(bytes);
  ours.add(buffer);
  counterparts.set(buffer, new ArrayBuffer(bytes));
  return buffer;
}
