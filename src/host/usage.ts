// Mistakes in how the program was called.

/** The command line or the environment asks for something that cannot be; nothing was started. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The candidate that takes the fewest edits from `text`; undefined when none is near. */
export function findNearest(text: string, candidates: readonly string[]): string | undefined {
  const near = candidates
    .map((candidate) => ({ candidate, distance: countEdits(text.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(Math.min(text.length, candidate.length) / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate;
}

// Levenshtein's distance, with the exchange of two neighbours as one edit.
function countEdits(from: string, to: string): number {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1];
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(
        (above[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (above[j - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = above;
    above = row;
  }
  return above[to.length] ?? 0;
}
