import type { HookDescription } from "./hooks-document.ts";

/** A place of several blocks, as one line shows it. */
export interface FoldedPlace {
  /** "blocks.{0..11}.hook_resid_pre"; the name itself of a place that is of no block, or of one alone. */
  readonly name: string;
  /** The place of the first of these blocks. */
  readonly first: HookDescription;
}

/** Take the places of different blocks together where they have the same name but for the block, and the same shape. */
export function foldBlocks(hooks: readonly (HookDescription & { readonly name: string })[]): FoldedPlace[] {
  const kinds = new Map<
    string,
    { readonly first: HookDescription; readonly place?: string; readonly blocks: number[] }
  >();
  for (const hook of hooks) {
    const match = /^blocks\.(\d+)\.(.+)$/.exec(hook.name);
    const key = match === null ? hook.name : `${match[2]} ${hook.shape.join(" ")}`;
    const kind = kinds.get(key) ?? { first: hook, ...(match && { place: match[2] }), blocks: [] };
    if (match !== null) kind.blocks.push(Number(match[1]));
    kinds.set(key, kind);
  }
  return Array.from(kinds.values(), ({ first, place, blocks }) => ({
    name: blocks.length < 2 ? first.name! : `blocks.{${ranges(blocks)}}.${place}`,
    first,
  }));
}

/** Ascending numbers with those that follow each other taken together: 0..3,5,7..9. */
function ranges(ascending: readonly number[]): string {
  const runs: [from: number, to: number][] = [];
  for (const number of ascending) {
    const last = runs.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}..${to}`)).join(",");
}
