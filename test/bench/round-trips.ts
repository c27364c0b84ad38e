// How many round trips a build had to make one after the other.

/** A request and its answer on one connection, in milliseconds as the client saw them; `end` is the last byte of the answer. */
export interface Turn {
  readonly start: number;
  readonly end: number;
}

/**
 * The longest chain of turns each of which began after the one before had ended. No build that waits for each of them could be faster than
 * so many delays; turns that overlap count once.
 */
export function countSequential(turns: readonly Turn[]): number {
  let [count, last] = [0, Number.NEGATIVE_INFINITY];
  // Whichever ends first leaves most room for others.
  for (const { start, end } of turns.toSorted((a, b) => a.end - b.end)) {
    if (start < last) continue;
    count += 1;
    last = end;
  }
  return count;
}
