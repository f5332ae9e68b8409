/** Positions ordered by key: group g is `order[offsets[g]]` to `order[offsets[g + 1]]` (exclusive). */
export interface Grouping {
  /** [groups + 1] */
  readonly offsets: Int32Array;
  /** [keys] */
  readonly order: Int32Array;
}

/** Order the positions of `keys` by key, each from 0 to `groups` − 1; equal keys keep their order (counting sort). */
export function groupByKey(keys: Int32Array, groups: number): Grouping {
  const offsets = new Int32Array(groups + 1);
  for (let position = 0; position < keys.length; position++) offsets[keys[position] + 1]++;
  for (let group = 0; group < groups; group++) offsets[group + 1] += offsets[group];
  const next = offsets.slice(0, groups);
  const order = new Int32Array(keys.length);
  for (let position = 0; position < keys.length; position++) order[next[keys[position]]++] = position;
  return { offsets, order };
}
