/**
 * Allocate `length` zeroed float32 values that worker threads can read without a copy, where the platform allows it
 * (Node always, pages only when cross-origin isolated), and ordinary memory otherwise.
 */
export function allocateFloat32(length: number): Float32Array {
  return new Float32Array(allocate(length * 4));
}

/** As {@link allocateFloat32}, for int32 values. */
export function allocateInt32(length: number): Int32Array {
  return new Int32Array(allocate(length * 4));
}

/**
 * An ordinary buffer for every living shared one. V8 leaves shared memory out when it decides to collect garbage, and a
 * loop over batches would fill the machine before it does. The ordinary buffer counts, and being untouched takes no memory.
 */
const counterparts = new WeakMap<SharedArrayBuffer, ArrayBuffer>();

function allocate(bytes: number): ArrayBufferLike {
  if (typeof SharedArrayBuffer === "undefined") return new ArrayBuffer(bytes);
  const buffer = new SharedArrayBuffer(bytes);
  counterparts.set(buffer, new ArrayBuffer(bytes));
  return buffer;
}
