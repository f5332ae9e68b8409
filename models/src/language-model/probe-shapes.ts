import type { EngineSession, HostTensor } from "../engine/engine.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";
import { languageFeeds } from "./language-feeds.ts";

/** Axes of a value: numbers, and names for those that follow the input. */
export type ProbedShape = readonly (number | string)[];

/** Rows and lengths of the two runs; an axis that is as long as one of these in both runs is that one. */
const probes = [
  { rows: 2, length: 3 },
  { rows: 3, length: 5 },
] as const;

/**
 * Find the shape of some outputs of a loaded language model by running it on two tiny batches: an axis whose length changes as rows,
 * positions or their product do is named "batch", "sequence" or "batch·sequence", one that changes otherwise "?". Files seldom say the
 * shapes of hidden values, and what they say need not hold.
 */
export async function probeShapes(
  session: EngineSession,
  names: readonly string[],
): Promise<ReadonlyMap<string, { readonly shape: ProbedShape; readonly type: HostTensor["type"] }>> {
  const [first, second] = [await probe(session, names, 0), await probe(session, names, 1)];
  return new Map(
    names.map((name) => [name, { type: first[name].type, shape: axes(first[name].dims, second[name].dims) }]),
  );
}

async function probe(session: EngineSession, names: readonly string[], run: 0 | 1) {
  const { rows, length } = probes[run];
  const batch: TokenBatch = {
    rows,
    length,
    // Any token that every vocabulary has.
    tokenIds: new Int32Array(rows * length).fill(1),
    lengths: new Int32Array(rows).fill(length),
  };
  const { fetched } = await session.run(languageFeeds(session.inputs, batch), { fetch: names });
  return fetched;
}

function axes(first: readonly number[], second: readonly number[]): ProbedShape {
  const [a, b] = probes;
  return first.map((size, axis) => {
    const other = second[axis];
    if (size === other) return size;
    if (size === a.rows && other === b.rows) return "batch";
    if (size === a.length && other === b.length) return "sequence";
    if (size === a.rows * a.length && other === b.rows * b.length) return "batch·sequence";
    return "?";
  });
}

/** Width of the vector per token in a value of this shape; undefined where it has none, row-major by row and position. */
export function tokenWidth(shape: ProbedShape): number | undefined {
  const axesOfTokens =
    shape[0] === "batch·sequence" ? 1 : shape[0] === "batch" && shape[1] === "sequence" ? 2 : 0;
  const rest = shape.slice(axesOfTokens);
  if (axesOfTokens === 0 || rest.length === 0 || rest.some((size) => typeof size !== "number"))
    return undefined;
  return (rest as number[]).reduce((product, size) => product * size, 1);
}
