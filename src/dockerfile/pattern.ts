// The pattern language of ${name#pattern} and ${name/pattern/text}: `*`, `?`, and a backslash before `* ? \ } /`.
// Matching follows all branches at once, so that no pattern takes more than length × length steps.

import { LineError } from "./error.ts";

/** Code points of characters, and wildcards; neither wildcard matches a line feed. */
type Tokens = Int32Array;

const one = -1;
const many = -2;
const none = -1;
const lineFeed = 0x0a;
const star = 0x2a;
const questionMark = 0x3f;
const backslash = 0x5c;
const slash = 0x2f;
const closingBrace = 0x7d;

/** Characters: a variable that is put into itself doubles with every line, and more than this nobody means. */
export const maxExpansion = 16 * 1024 * 1024;

export function tooLong(): LineError {
  return new LineError(`the variables come to more than ${maxExpansion} characters`);
}

/** `value` without its shortest, or longest, beginning that matches. */
export function trimPrefix(pattern: string, value: string, longest: boolean): string {
  return cutPrefix(readPattern(pattern), Array.from(value), longest).join("");
}

/** `value` without its shortest, or longest, end that matches. */
export function trimSuffix(pattern: string, value: string, longest: boolean): string {
  return cutPrefix(readPattern(pattern).reverse(), Array.from(value).reverse(), longest).reverse().join("");
}

/** `value` with the first, or each, longest match replaced; for `all` the text may name the match as Go's regexp does, `$0`. */
export function replaceMatches(pattern: string, value: string, text: string, all: boolean): string {
  const tokens = readPattern(pattern);
  const characters = Array.from(value);
  const codes = characters.map(codeOf);
  const replacement = all ? readTemplate(text) : () => text;
  const parts: string[] = [];
  let length = 0;
  let lastEnd = 0;
  let from = 0;
  while (from <= codes.length) {
    const found = findMatch(tokens, codes, from);
    if (!found) break;
    parts.push(characters.slice(lastEnd, found.start).join(""));
    // An empty match right behind another match does not count.
    if (found.end > lastEnd || found.start === 0) {
      const put = replacement(characters.slice(found.start, found.end).join(""));
      length += put.length;
      if (length > maxExpansion) throw tooLong();
      parts.push(put);
    }
    lastEnd = found.end;
    if (!all) break;
    from = Math.max(from + 1, found.end);
  }
  return parts.join("") + characters.slice(lastEnd).join("");
}

function cutPrefix(tokens: Tokens, characters: string[], longest: boolean): string[] {
  const walk = new Walk(tokens);
  walk.begin(0);
  let cut: number | undefined;
  for (let index = 0; ; index++) {
    if (walk.matched !== none) {
      cut = index;
      if (!longest) break;
    }
    const character = characters[index];
    if (character === undefined || walk.isOver) break;
    walk.step(codeOf(character));
  }
  return cut === undefined ? characters : characters.slice(cut);
}

/** The leftmost match at or after `from`, and of those the longest. */
function findMatch(tokens: Tokens, codes: readonly number[], from: number): { start: number; end: number } | undefined {
  const walk = new Walk(tokens);
  let best: { start: number; end: number } | undefined;
  for (let index = from; index <= codes.length; index++) {
    if (!best) walk.begin(index);
    const origin = walk.matched;
    if (origin !== none && (!best || origin <= best.start)) {
      best = { start: origin, end: index };
      walk.dropAfter(origin);
    }
    const code = codes[index];
    if (code === undefined || (best && walk.isOver)) break;
    walk.step(code);
  }
  return best;
}

/** All matches in progress, of which only the leftmost counts where several have passed the same tokens. */
class Walk {
  readonly #tokens: Tokens;
  /** For each number of tokens passed, where the match began. */
  readonly #origins: Int32Array;
  /** The most tokens that a match in progress has passed. */
  #top = -1;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
    this.#origins = new Int32Array(tokens.length + 1).fill(none);
  }

  get isOver(): boolean {
    return this.#top < 0;
  }

  /** Where the match began that has passed all tokens. */
  get matched(): number {
    return this.#originAt(this.#tokens.length);
  }

  begin(origin: number): void {
    this.#offer(0, origin);
    this.#skipStars();
  }

  step(code: number): void {
    const top = this.#top;
    this.#top = -1;
    for (let passed = top; passed >= 0; passed--) {
      const origin = this.#originAt(passed);
      if (origin === none) continue;
      const token = this.#tokens[passed];
      this.#origins[passed] = none;
      if (token === many) {
        if (code !== lineFeed) this.#offer(passed, origin);
      } else if (token === one ? code !== lineFeed : code === token) this.#offer(passed + 1, origin);
    }
    this.#skipStars();
  }

  /** Forgets what began after a match that is complete. */
  dropAfter(origin: number): void {
    const top = this.#top;
    this.#top = -1;
    for (let passed = 0; passed <= top; passed++) {
      if (this.#originAt(passed) > origin) this.#origins[passed] = none;
      else if (this.#originAt(passed) !== none) this.#top = passed;
    }
  }

  #originAt(passed: number): number {
    return this.#origins[passed] ?? none;
  }

  #offer(passed: number, origin: number): void {
    const known = this.#originAt(passed);
    if (known === none || origin < known) this.#origins[passed] = origin;
    if (passed > this.#top) this.#top = passed;
  }

  #skipStars(): void {
    for (let passed = 0; passed <= this.#top; passed++) {
      const origin = this.#originAt(passed);
      if (origin !== none && this.#tokens[passed] === many) this.#offer(passed + 1, origin);
    }
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** Patterns may have millions of characters, where an expansion of their own made them: none is made a string of its own. */
function readPattern(pattern: string): Tokens {
  const tokens = new Int32Array(pattern.length);
  let count = 0;
  for (let index = 0; index < pattern.length; index++) {
    let literal = pattern.codePointAt(index) ?? 0;
    if (literal === star || literal === questionMark) {
      const isRepeated = literal === star && count > 0 && tokens[count - 1] === many;
      if (!isRepeated) tokens[count++] = literal === star ? many : one;
      continue;
    }
    if (literal === backslash) {
      const escaped = pattern.codePointAt(index + 1);
      // `}` and `/` are escaped for the expansion around the pattern, not for the pattern.
      if (escaped === closingBrace || escaped === slash) continue;
      if (escaped !== star && escaped !== questionMark && escaped !== backslash) {
        const shown = escaped === undefined ? "" : String.fromCodePoint(escaped);
        throw new LineError(`invalid pattern (${pattern}) in substitution: invalid escape '\\${shown}'`);
      }
      literal = escaped;
      index++;
    }
    if (literal > 0xffff) index++;
    tokens[count++] = literal;
  }
  return tokens.subarray(0, count);
}

/** Go's Regexp.Expand for an expression without groups: `$0` and `${0}` are the match, other names are empty, `$$` is a dollar. */
function readTemplate(template: string): (match: string) => string {
  const parts = template.split(/(\$(?:\$|\{[\p{L}\p{Nd}_]+\}|[\p{L}\p{Nd}_]+))/u).flatMap((part, i) => {
    if (i % 2 === 0) return [part];
    if (part === "$$") return ["$"];
    return part === "$0" || part === "${0}" ? [undefined] : [];
  });
  if (!parts.includes(undefined)) {
    const text = parts.join("");
    return () => text;
  }
  return (match) => parts.map((part) => part ?? match).join("");
}
