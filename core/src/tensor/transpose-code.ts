import { allocateFloat32, allocateInt32 } from "./shared.ts";
import type { SparseCode } from "./sparse-code.ts";

/**
 * The same entries by latent instead of by token: row j of the result holds the tokens on which latent j is active, ascending,
 * with its activations. [rows × columns] becomes [columns × rows]; takes time and memory in proportion to both and the entries.
 */
export function transposeCode(code: SparseCode): SparseCode {
  return transposer(code)(code.values);
}

/**
 * Transpose the places of a code's entries once, for any values: the function it gives puts one number per entry, times `factor`, where
 * {@link transposeCode} puts the activations. What it gives shares offsets and indices.
 */
export function transposer({
  rows,
  columns,
  offsets,
  indices,
}: SparseCode): (values: Float32Array, factor?: number) => SparseCode {
  const turned = {
    rows: columns,
    columns: rows,
    offsets: allocateInt32(columns + 1),
    indices: allocateInt32(indices.length),
  };
  for (let entry = 0; entry < indices.length; entry++) turned.offsets[indices[entry] + 1]++;
  for (let j = 0; j < columns; j++) turned.offsets[j + 1] += turned.offsets[j];
  const next = turned.offsets.slice(0, columns);
  const places = new Int32Array(indices.length);
  for (let i = 0; i < rows; i++) {
    for (let entry = offsets[i]; entry < offsets[i + 1]; entry++) {
      places[entry] = next[indices[entry]]++;
      turned.indices[places[entry]] = i;
    }
  }
  return (values, factor = 1) => {
    const placed = allocateFloat32(values.length);
    for (let entry = 0; entry < placed.length; entry++) placed[places[entry]] = factor * values[entry];
    return { ...turned, values: placed };
  };
}
