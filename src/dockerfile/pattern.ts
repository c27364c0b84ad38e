// The pattern language of ${name#pattern} and ${name/pattern/text}: `*`, `?`, and a backslash before `* ? \ } /`.
// Matching follows all branches at once, so that no pattern takes more than length × length steps.

import { LineError } from "./error.ts";

/** A literal character, or a wildcard; neither wildcard matches a line feed. */
type Token = { readonly literal: string } | "one" | "many";

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
  let out = "";
  let lastEnd = 0;
  let from = 0;
  while (from <= characters.length) {
    const found = findMatch(tokens, characters, from);
    if (!found) break;
    out += characters.slice(lastEnd, found.start).join("");
    // An empty match right behind another match does not count.
    if (found.end > lastEnd || found.start === 0) {
      out += all ? expandTemplate(text, characters.slice(found.start, found.end).join("")) : text;
    }
    lastEnd = found.end;
    if (!all) break;
    from = Math.max(from + 1, found.end);
  }
  return out + characters.slice(lastEnd).join("");
}

function cutPrefix(pattern: string, characters: string[], longest: boolean): string[] {
  const tokens = readPattern(pattern);
  let reached = start(tokens, characters, 0);
  let cut: number | undefined;
  for (let index = 0; ; index++) {
    if (reached[tokens.length] !== undefined) {
      cut = index;
      if (!longest) break;
    }
    const character = characters[index];
    if (character === undefined || !reached.some((origin) => origin !== undefined)) break;
    reached = step(tokens, reached, character);
  }
  return cut === undefined ? characters : characters.slice(cut);
}

/** The leftmost match at or after `from`, and of those the longest. */
function findMatch(tokens: readonly Token[], characters: readonly string[], from: number): { start: number; end: number } | undefined {
  let best: { start: number; end: number } | undefined;
  let reached: Reached = [];
  for (let index = from; index <= characters.length; index++) {
    if (!best) reached = merge(reached, start(tokens, characters, index));
    const origin = reached[tokens.length];
    if (origin !== undefined && (!best || origin <= best.start)) best = { start: origin, end: index };
    const character = characters[index];
    if (character === undefined) break;
    const leftmost = best?.start;
    if (leftmost !== undefined) {
      reached = reached.map((at) => (at !== undefined && at <= leftmost ? at : undefined));
      if (!reached.some((at) => at !== undefined)) break;
    }
    reached = step(tokens, reached, character);
  }
  return best;
}

/** For each number of tokens passed, the leftmost place where a match in progress began. */
type Reached = readonly (number | undefined)[];

function start(tokens: readonly Token[], characters: readonly string[], index: number): Reached {
  return index > characters.length ? [] : skipStars(tokens, [index]);
}

function step(tokens: readonly Token[], reached: Reached, character: string): Reached {
  const next: (number | undefined)[] = [];
  for (const [index, token] of tokens.entries()) {
    const origin = reached[index];
    if (origin === undefined) continue;
    if (token === "many") {
      if (character !== "\n") next[index] = leftmost(next[index], origin);
    } else if (token === "one" ? character !== "\n" : character === token.literal) {
      next[index + 1] = leftmost(next[index + 1], origin);
    }
  }
  return skipStars(tokens, next);
}

function skipStars(tokens: readonly Token[], reached: (number | undefined)[]): Reached {
  for (const [index, token] of tokens.entries()) {
    const origin = reached[index];
    if (token === "many" && origin !== undefined) reached[index + 1] = leftmost(reached[index + 1], origin);
  }
  return reached;
}

function merge(left: Reached, right: Reached): Reached {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => leftmost(left[index], right[index]));
}

function leftmost(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return Math.min(left, right);
}

function readPattern(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let index = 0; index < characters.length; index++) {
    let literal = characters[index] ?? "";
    if (literal === "*" || literal === "?") {
      tokens.push(literal === "*" ? "many" : "one");
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
    tokens.push({ literal });
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
function expandTemplate(template: string, match: string): string {
  return template.replace(/\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu, (whole, braced?: string, bare?: string) => {
    if (whole === "$$") return "$";
    return (braced ?? bare) === "0" ? match : "";
  });
}
