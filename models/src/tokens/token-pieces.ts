/** Tokens that a character can be spread over, and some: a UTF-8 character has at most four bytes. */
const mostPending = 8;

/**
 * What each of several tokens adds to their text: pieces that joined are `decode(tokenIds)`. A character that is cut across
 * tokens belongs to the last of them.
 *
 * Decoding every prefix would take quadratic time. The few tokens since the last whole character suffice, decoded behind the one token
 * before them, because decoders treat the first token of a text differently; the whole text, decoded once, tells characters that are
 * still cut from characters that the tokens really lack.
 */
export function tokenPieces(
  tokenIds: readonly number[],
  decode: (tokenIds: readonly number[]) => string,
): string[] {
  const pieces: string[] = [];
  const whole = decode(tokenIds);
  /** Characters of `whole` in the pieces so far. */
  let given = 0;
  /** The first token that is not in a whole character yet, and how many characters of `whole` come before it. */
  let first = 0;
  let before = 0;
  let context = "";
  for (let i = 0; i < tokenIds.length; i++) {
    const text = decode(tokenIds.slice(Math.max(0, first - 1), i + 1)).slice(context.length);
    const agreeing = commonLength(text, whole, before);
    const reached = Math.max(given, before + agreeing);
    pieces.push(whole.slice(given, reached));
    given = reached;
    if (agreeing === text.length || i - first >= mostPending) {
      first = i + 1;
      before = given;
      context = decode([tokenIds[i]]);
    }
  }
  if (given < whole.length) pieces[pieces.length - 1] += whole.slice(given);
  return pieces;
}

/** How many characters of `text` are those of `whole` from `start` on. A surrogate pair is not cut. */
function commonLength(text: string, whole: string, start: number): number {
  let length = 0;
  while (length < text.length && text[length] === whole[start + length]) length++;
  const last = text.charCodeAt(length - 1);
  return length > 0 && length < text.length && last >= 0xd800 && last < 0xdc00 ? length - 1 : length;
}
