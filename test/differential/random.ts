// Chance that a seed decides: the same numbers on every machine and under every Node.

export interface Random {
  /** From 0 to `below` - 1. */
  int(below: number): number;
  /** True `percent` times of a hundred. */
  chance(percent: number): boolean;
  pick<T>(items: readonly [T, ...T[]] | readonly T[]): T;
  /** One of the values, by weight. */
  weigh<T>(rows: readonly (readonly [weight: number, value: T])[]): T;
  /** `from` to `to` results, both included. */
  times<T>(from: number, to: number, make: (index: number) => T): T[];
}

/** Mulberry32, by Tommy Ettinger, in the public domain. */
export function openRandom(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const random: Random = {
    int: (below) => Math.floor(next() * below),
    chance: (percent) => next() * 100 < percent,
    pick<T>(items: readonly T[]): T {
      const item = items[random.int(items.length)];
      if (item === undefined) throw new Error("Cannot pick from nothing");
      return item;
    },
    weigh(rows) {
      let left = random.int(rows.reduce((sum, [weight]) => sum + weight, 0));
      for (const [weight, value] of rows) {
        if (left < weight) return value;
        left -= weight;
      }
      throw new Error("Cannot weigh nothing");
    },
    times: (from, to, make) => Array.from({ length: from + random.int(to - from + 1) }, (_, index) => make(index)),
  };
  return random;
}
