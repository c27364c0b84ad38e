// Random choices that a seed repeats.

/** The same seed and number give the same choices. https://github.com/bryc/code/blob/master/jshash/PRNGs.md#splitmix32 */
export class Random {
  #state: number;

  constructor(seed: number, number: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35);
  }

  /** From 0 up to and without `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return Math.floor((((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32) * limit);
  }

  /** Once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(options: readonly [T, ...T[]] | readonly T[]): T {
    const picked = options[this.below(options.length)];
    if (picked === undefined) throw new TypeError("there is nothing to pick from");
    return picked;
  }

  /** Small numbers more often. */
  few(most: number): number {
    return this.below(this.below(most + 1) + 1);
  }

  /** Of each `make` one text, joined. */
  some(most: number, make: () => string, separator = ""): string {
    return Array.from({ length: this.few(most) }, make).join(separator);
  }
}
