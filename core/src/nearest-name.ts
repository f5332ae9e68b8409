/** The name a mistyped one was most likely meant to be, or undefined when none comes near. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  return nearestNames(name, candidates, 1)[0];
}

/** The at most `count` names a mistyped one was most likely meant to be, the nearest first; none when none comes near. */
export function nearestNames(name: string, candidates: readonly string[], count: number): string[] {
  const tolerance = Math.max(1, Math.floor(name.length / 3));
  return candidates
    .filter(
      (candidate) => beginsWith(candidate, name) || Math.abs(candidate.length - name.length) <= tolerance,
    )
    .map((candidate) => ({
      candidate,
      distance: beginsWith(candidate, name) ? 0 : editDistance(name, candidate),
    }))
    .filter(({ distance }) => distance <= tolerance)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

function beginsWith(candidate: string, name: string): boolean {
  return name !== "" && candidate.startsWith(name);
}

/** Fewest insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
      }
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}
