import type { SparseCode } from "../tensor/sparse-code.ts";
import type { CodeStore, Stretch } from "./code-store.ts";

/** Codes kept in memory, for as long as the store is. */
export function memoryCodeStore(): CodeStore {
  const codes = new Map<string, SparseCode>();
  const keyOf = ({ start, end }: Stretch) => `${start}-${end}`;
  return {
    location: "memory",
    get bytes() {
      let bytes = 0;
      for (const { offsets, indices, values } of codes.values())
        bytes += offsets.byteLength + indices.byteLength + values.byteLength;
      return bytes;
    },
    read: async (stretch) => codes.get(keyOf(stretch)),
    async write(stretch, code) {
      codes.set(keyOf(stretch), code);
      return code;
    },
  };
}
