// Finds the word that was probably meant.

/** A hint such as `did you mean RUN?`, or undefined when no option is within two edits, or one is the very word. */
export function suggest(word: string, options: Iterable<string>, caseSensitive = true): string | undefined {
  const nearest = findNearest(word, options, caseSensitive);
  return nearest === undefined ? undefined : `did you mean ${nearest}?`;
}

/** The option that was probably meant; undefined as with `suggest`. */
export function findNearest(word: string, options: Iterable<string>, caseSensitive = true): string | undefined {
  const wanted = caseSensitive ? word : word.toLowerCase();
  let best: string | undefined;
  let distance = 3;
  for (const option of options) {
    const candidate = caseSensitive ? option : option.toLowerCase();
    if (candidate === wanted) return undefined;
    const away = editDistance(wanted, candidate, distance);
    if (away >= distance) continue;
    distance = away;
    best = caseSensitive ? option : likeCase(candidate, word);
  }
  return best;
}

function likeCase(option: string, word: string): string {
  return word === word.toUpperCase() ? option.toUpperCase() : option;
}

/** Insertions, deletions, changes and swaps of neighbours; `limit` or more is not computed exactly. */
function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit;
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const change = at(row, j - 1) + (left[i - 1] === right[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      next.push(Math.min(change, at(row, j) + 1, at(next, j - 1) + 1, isSwap ? at(before, j - 2) + 1 : limit));
    }
    before = row;
    row = next;
  }
  return at(row, right.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
