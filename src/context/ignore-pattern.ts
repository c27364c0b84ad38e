// One pattern of an ignore file, with the meaning that https://github.com/moby/patternmatcher gives it.

import { decodeRunes, matchGlob } from "../filesystem/filesystem.ts";
import type { RawPath } from "../layer/entry.ts";
import { compileRegexp, type Matcher } from "./regexp.ts";

export interface IgnorePattern {
  /** Cleaned and without its `!`. */
  readonly text: RawPath;
  /** A `!` pattern: what it matches is not ignored. */
  readonly isException: boolean;
  /** Whether it matches this very path; parents are the caller's matter. */
  matches(path: RawPath): boolean;
  /** False only where no path below the directory can match. */
  reachesBelow(directory: RawPath): boolean;
}

/** Reads a pattern that is trimmed and cleaned; throws a SyntaxError that says what is wrong with it. */
export function parseIgnorePattern(pattern: RawPath): IgnorePattern {
  if (pattern === "!") throw new SyntaxError('illegal exclusion pattern: "!"');
  const isException = pattern.startsWith("!");
  const text = isException ? pattern.slice(1) : pattern;
  matchGlob(text, ".");
  const matches = compilePattern(text);
  const segments = text.split("/").map(compileSegment);
  return { text, isException, matches, reachesBelow: (directory) => reachesBelow(segments, directory) };
}

const star = 0x2a;
const slash = 0x2f;
const backslash = 0x5c;
const specials = new Set([...".+()|{}$"].map((character) => character.charCodeAt(0)));

/**
 * The same choice between plain comparisons and an expression as moby's compile: users' files depend on its corners, such as `**foo`
 * matching `a/xfoo` while `**foo*` does not, or a class that contains `*`.
 */
function compilePattern(text: RawPath): Matcher {
  const runes = decodeRunes(text);
  const expression: number[] = [];
  const add = (part: string) => expression.push(...[...part].map((character) => character.charCodeAt(0)));
  let kind: "exact" | "prefix" | "suffix" | "regexp" = "exact";
  for (let i = 0; i < runes.length; ) {
    const isFirst = i === 0;
    const rune = runes[i++] ?? 0;
    if (rune === star && runes[i] === star) {
      i += runes[i + 1] === slash ? 2 : 1;
      const isLast = i === runes.length;
      add(isLast ? ".*" : "(.*/)?");
      kind = isFirst ? "suffix" : isLast && kind === "exact" ? "prefix" : "regexp";
      continue;
    }
    if (rune === star) add("[^/]*");
    else if (rune === 0x3f) add("[^/]");
    else if (specials.has(rune)) expression.push(backslash, rune);
    else if (rune === backslash) expression.push(backslash, runes[i++] ?? backslash);
    else expression.push(rune);
    if (rune === star || rune === 0x3f || rune === backslash || rune === 0x5b || rune === 0x5d) kind = "regexp";
  }
  switch (kind) {
    case "exact":
      return (path) => path === text;
    case "prefix":
      return startsWith(text.slice(0, -2));
    case "suffix":
      return endsWith(text.slice(2));
    case "regexp":
      return compileRegexp(expression);
  }
}

function startsWith(prefix: RawPath): Matcher {
  return (path) => path.startsWith(prefix);
}

function endsWith(suffix: RawPath): Matcher {
  return (path) => path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
}

/** Tells whether one name of a path can be what a segment means; undefined where a segment may span several names. */
function compileSegment(segment: RawPath): Matcher | undefined {
  if (segment.includes("**") || /[[\]\\^]/.test(segment)) return undefined;
  return compilePattern(segment);
}

function reachesBelow(segments: readonly (Matcher | undefined)[], directory: RawPath): boolean {
  const names = directory === "" ? [] : directory.split("/");
  for (const [i, name] of names.entries()) {
    const segment = segments[i];
    if (segment === undefined) return i < segments.length;
    if (!segment(name)) return false;
  }
  return segments.length > names.length;
}
