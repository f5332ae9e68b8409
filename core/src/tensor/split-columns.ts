import { allocateFloat32, allocateInt32 } from "./shared.ts";
import type { SparseCode } from "./sparse-code.ts";

/** Some columns of a code. */
export interface CodePart {
  /** As wide as the whole; only entries of these columns. */
  readonly code: SparseCode;
  /** [entries] the entry of the whole that each one is. */
  readonly entries: Int32Array;
}

/** Cut a code [n × m] into ranges of columns, each from the end of the one before (at first 0) to its own, `ends` ascending to m. */
export function splitColumns(code: SparseCode, ends: readonly number[]): CodePart[] {
  const { rows, columns, offsets, indices, values } = code;
  return ends.map((end, part) => {
    const start = part === 0 ? 0 : ends[part - 1];
    const partOffsets = allocateInt32(rows + 1);
    const kept: number[] = [];
    for (let i = 0; i < rows; i++) {
      for (let entry = offsets[i]; entry < offsets[i + 1]; entry++)
        if (indices[entry] >= start && indices[entry] < end) kept.push(entry);
      partOffsets[i + 1] = kept.length;
    }
    const entries = Int32Array.from(kept);
    const partIndices = allocateInt32(entries.length);
    const partValues = allocateFloat32(entries.length);
    for (let place = 0; place < entries.length; place++) {
      partIndices[place] = indices[entries[place]];
      partValues[place] = values[entries[place]];
    }
    return {
      code: { rows, columns, offsets: partOffsets, indices: partIndices, values: partValues },
      entries,
    };
  });
}
