import type { TokenWindow } from "@saestitch/models";

/** The first `tokens` tokens of `windows`, the last window cut; tokens of the ids `excludedTokens` are marked as excluded. */
export function lossWindows(
  windows: readonly TokenWindow[],
  {
    excludedTokens,
    tokens = Number.POSITIVE_INFINITY,
  }: { readonly excludedTokens: readonly number[]; readonly tokens?: number | undefined },
): TokenWindow[] {
  const left = new Set(excludedTokens);
  const taken: TokenWindow[] = [];
  let room = tokens;
  for (const { tokenIds, documentIds, excluded } of windows) {
    if (room <= 0) break;
    const length = Math.min(tokenIds.length, room);
    taken.push({
      tokenIds: tokenIds.subarray(0, length),
      documentIds: documentIds.subarray(0, length),
      excluded: excluded.slice(0, length).map((mark, t) => (left.has(tokenIds[t]) ? 1 : mark)),
    });
    room -= length;
  }
  return taken;
}
