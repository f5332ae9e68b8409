import type { Edge, Family } from "./families.ts";

/**
 * The connected components of `edges` between `mSmaller` and `mLarger` latents. Every latent is in exactly one family; one without
 * edges is a family of its own, with nothing on the other side.
 *
 * Families that hold larger latents come first, by the lowest of them, then the lone smaller latents, by number. Union–find:
 * time and memory in proportion to edges and latents, for any practical number of them.
 */
export function findFamilies(edges: readonly Edge[], mSmaller: number, mLarger: number): Family[] {
  // Larger latents are the nodes from 0, smaller ones the nodes after them; the lowest node of a family is its root.
  const parent = Int32Array.from({ length: mLarger + mSmaller }, (_, node) => node);
  for (const { smaller, larger } of edges) {
    const a = rootOf(parent, larger);
    const b = rootOf(parent, mLarger + smaller);
    parent[Math.max(a, b)] = Math.min(a, b);
  }
  const families: { smaller: number[]; larger: number[] }[] = [];
  const familyOf = new Int32Array(parent.length);
  for (let node = 0; node < parent.length; node++) {
    const root = rootOf(parent, node);
    if (root === node) familyOf[node] = families.push({ smaller: [], larger: [] }) - 1;
    const family = families[familyOf[root]];
    if (node < mLarger) family.larger.push(node);
    else family.smaller.push(node - mLarger);
  }
  return families;
}

/** The root of `node`; halves the path to it on the way. */
function rootOf(parent: Int32Array, node: number): number {
  let at = node;
  while (parent[at] !== at) {
    parent[at] = parent[parent[at]];
    at = parent[at];
  }
  return at;
}
