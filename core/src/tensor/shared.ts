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

function allocate(bytes: number): ArrayBufferLike {
  return typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);
}
