/** A place where two JSON values differ. */
export interface Difference {
  /** "data.seed", "options.0.rate" */
  readonly path: string;
  /** The two values as JSON, "nothing" where one has none. */
  readonly left: string;
  readonly right: string;
}

/** Where two JSON values differ, in the order of their members. */
export function differences(left: unknown, right: unknown, path = ""): Difference[] {
  if (isObject(left) && isObject(right)) {
    const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
    return names.flatMap((name) =>
      differences(left[name], right[name], path === "" ? name : `${path}.${name}`),
    );
  }
  const [a, b] = [left, right].map((value) => (value === undefined ? "nothing" : JSON.stringify(value)));
  return a === b ? [] : [{ path, left: a, right: b }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
