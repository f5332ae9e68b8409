/** Bits of one element, by code of `TensorProto.DataType`. */
const bitsByType: Readonly<Record<number, number>> = {
  1: 32,
  2: 8,
  3: 8,
  4: 16,
  5: 16,
  6: 32,
  7: 64,
  9: 8,
  10: 16,
  11: 64,
  12: 32,
  13: 64,
  14: 64,
  15: 128,
  16: 16,
  17: 8,
  18: 8,
  19: 8,
  20: 8,
  21: 4,
  22: 4,
  23: 4,
  24: 8,
  25: 2,
  26: 2,
};

/** Bytes of `count` elements of a type by its code of `TensorProto.DataType`; nothing for texts and for types that are not known. */
export function bytesOfElements(elementType: number, count: number): number | undefined {
  const bits = bitsByType[elementType];
  return bits === undefined ? undefined : Math.ceil((count * bits) / 8);
}
