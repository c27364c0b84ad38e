// The pattern language of ${name#pattern} and ${name/pattern/text}: `*`, `?`, and a backslash before `* ? \ } /`.
// Matching follows all branches at once, so that no pattern takes more than length × length steps.

import { LineError } from "./error.ts";

/** The code point of a character, or a wildcard; neither wildcard matches a line feed. */
type Token = number;

const one: Token = -1;
const many: Token = -2;
const none = -1;
const lineFeed = 0x0a;

/** Characters: a variable that is put into itself doubles with every line, and more than this nobody means. */
export const maxExpansion = 16 * 1024 * 1024;

export function tooLong(): LineError {
  return new LineError(`the variables come to more than ${maxExpansion} characters`);
}

/** `value` without its shortest, or longest, beginning that matches. */
export function trimPrefix(pattern: string, value: string, longest: boolean): string {
  return cutPrefix(pattern, Array.from(value), longest).join("");
}

/** `value` without its shortest, or longest, end that matches. */
export function trimSuffix(pattern: string, value: string, longest: boolean): string {
  return cutPrefix(reversePattern(pattern), Array.from(value).reverse(), longest).reverse().join("");
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

function cutPrefix(pattern: string, characters: string[], longest: boolean): string[] {
  const walk = new Walk(readPattern(pattern));
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
function findMatch(tokens: readonly Token[], codes: readonly number[], from: number): { start: number; end: number } | undefined {
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
  readonly #tokens: readonly Token[];
  /** For each number of tokens passed, where the match began. */
  readonly #origins: Int32Array;
  /** The most tokens that a match in progress has passed. */
  #top = -1;

  constructor(tokens: readonly Token[]) {
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

function readPattern(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let index = 0; index < characters.length; index++) {
    let literal = characters[index] ?? "";
    if (literal === "*" || literal === "?") {
      const isRepeated = literal === "*" && tokens.at(-1) === many;
      if (!isRepeated) tokens.push(literal === "*" ? many : one);
      continue;
    }
    if (literal === "\\") {
      const escaped = characters[index + 1];
      // `}` and `/` are escaped for the expansion around the pattern, not for the pattern.
      if (escaped === "}" || escaped === "/") continue;
      if (escaped !== "*" && escaped !== "?" && escaped !== "\\") {
        throw new LineError(`invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped ?? ""}'`);
      }
      literal = escaped;
      index++;
    }
    tokens.push(codeOf(literal));
  }
  return tokens;
}

/** Reversed, but with each backslash still before what it escapes. */
function reversePattern(pattern: string): string {
  const characters = Array.from(pattern);
  const parts: string[] = [];
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? "";
    const escaped = characters[index + 1];
    if (character === "\\" && escaped !== undefined) {
      parts.push(character + escaped);
      index++;
    } else parts.push(character);
  }
  return parts.reverse().join("");
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
