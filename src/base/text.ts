/** "Did you mean ...?": the known name that a mistyped one is closest to. */

/** Of a name's letters, the part that may be wrong before a suggestion would mislead. */
const MOST_WRONG = 0.5;

/** The known name nearest to `given`, or undefined where none is near. */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  const scored = known.map((name) => ({ name, edits: editDistance(given.toLowerCase(), name.toLowerCase()) }));
  const best = scored.sort((a, b) => a.edits - b.edits)[0];
  return best !== undefined && best.edits <= MOST_WRONG * Math.max(given.length, best.name.length)
    ? best.name
    : undefined;
}

/** `; did you mean "x"?` or nothing, to end a sentence with. */
export function didYouMean(given: string, known: readonly string[]): string {
  const nearest = nearestName(given, known);
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

/** Insertions, deletions, replacements and swaps of neighbours from `a` to `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const row = (i: number): number[] => Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0));
  let [beforeLast, last] = [row(0), row(0)];
  for (let i = 1; i <= a.length; i++) {
    const current = row(i);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? at(beforeLast, j - 2) + 1 : Infinity;
      current[j] = Math.min(at(last, j) + 1, at(current, j - 1) + 1, replaced, swapped);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, b.length);
}

function at(row: readonly number[], j: number): number {
  return row[j] ?? Infinity;
}
