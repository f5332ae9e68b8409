import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { Matches } from "./kernels.ts";

/** Room for `count` matches of each of `rows` rows. */
export function allocateMatches(rows: number, count: number): Matches {
  return { count, indices: allocateInt32(rows * count), cosines: allocateFloat32(rows * count) };
}
