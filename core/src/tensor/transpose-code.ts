import { allocateFloat32, allocateInt32 } from "./shared.ts";
import type { SparseCode } from "./sparse-code.ts";

/**
 * The same entries by latent instead of by token: row j of the result holds the tokens on which latent j is active, ascending,
 * with its activations. [rows × columns] becomes [columns × rows]; takes time and memory in proportion to both and the entries.
 */
export function transposeCode({ rows, columns, offsets, indices, values }: SparseCode): SparseCode {
  const transposed = {
    rows: columns,
    columns: rows,
    offsets: allocateInt32(columns + 1),
    indices: allocateInt32(indices.length),
    values: allocateFloat32(indices.length),
  };
  for (let entry = 0; entry < indices.length; entry++) transposed.offsets[indices[entry] + 1]++;
  for (let j = 0; j < columns; j++) transposed.offsets[j + 1] += transposed.offsets[j];
  const next = transposed.offsets.slice(0, columns);
  for (let i = 0; i < rows; i++) {
    for (let entry = offsets[i]; entry < offsets[i + 1]; entry++) {
      const place = next[indices[entry]]++;
      transposed.indices[place] = i;
      transposed.values[place] = values[entry];
    }
  }
  return transposed;
}
