// Shell patterns for one path segment, as Go's path.Match has them: * ? [class] and \escapes. Linear time, no regular expressions.

import { type RawPath, toText } from "../layer/entry.ts";

type Token =
  | { readonly kind: "star" }
  | { readonly kind: "any" }
  | { readonly kind: "rune"; readonly rune: number }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] };

/** Bytes that are no UTF-8 count as runes of their own from here on, so that they equal themselves alone. */
const firstInvalid = 0x110000;
const slash = 0x2f;

/** The code points of a raw name; each byte that is no part of valid UTF-8 gives a number above 0x10ffff. */
export function decodeRunes(raw: RawPath): number[] {
  const runes: number[] = [];
  for (let i = 0; i < raw.length; ) {
    const lead = raw.charCodeAt(i);
    const length =
      lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
    const rune = length === 1 ? lead : decodeSequence(raw, i, length);
    runes.push(rune ?? firstInvalid + lead);
    i += rune === undefined ? 1 : length;
  }
  return runes;
}

function decodeSequence(raw: RawPath, start: number, length: number): number | undefined {
  if (length === 0 || start + length > raw.length) return undefined;
  let rune = raw.charCodeAt(start) & (0x7f >> length);
  for (let i = start + 1; i < start + length; i++) {
    const byte = raw.charCodeAt(i);
    if ((byte & 0xc0) !== 0x80) return undefined;
    rune = (rune << 6) | (byte & 0x3f);
  }
  const smallest = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  return rune < smallest || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000) ? undefined : rune;
}

/**
 * Whether a whole name matches a pattern after https://pkg.go.dev/path#Match; `*` and `?` do not match `/`. Both are raw bytes.
 * Throws a SyntaxError for a malformed pattern, whatever the name.
 */
export function matchGlob(pattern: RawPath, name: RawPath): boolean {
  const tokens = parseGlob(pattern);
  const runes = decodeRunes(name);
  let at = 0;
  let token = 0;
  let lastStar: { token: number; at: number } | undefined;
  while (at < runes.length || token < tokens.length) {
    const current = tokens[token];
    if (current?.kind === "star") {
      lastStar = { token, at };
      token += 1;
      continue;
    }
    const rune = runes[at];
    if (current !== undefined && rune !== undefined && matchesRune(current, rune)) {
      token += 1;
      at += 1;
      continue;
    }
    const skipped = lastStar === undefined ? undefined : runes[lastStar.at];
    if (lastStar === undefined || skipped === undefined || skipped === slash) return false;
    lastStar.at += 1;
    at = lastStar.at;
    token = lastStar.token + 1;
  }
  return true;
}

function matchesRune(token: Token, rune: number): boolean {
  switch (token.kind) {
    case "star":
      return false;
    case "any":
      return rune !== slash;
    case "rune":
      return rune === token.rune;
    case "class":
      return token.ranges.some(([low, high]) => low <= rune && rune <= high) !== token.negated;
  }
}

function parseGlob(pattern: RawPath): Token[] {
  const malformed = (why: string) => new SyntaxError(`Cannot read pattern "${toText(pattern)}": ${why}`);
  const runes = decodeRunes(pattern).map((rune) => (rune < firstInvalid ? String.fromCodePoint(rune) : rune));
  const tokens: Token[] = [];
  let i = 0;

  /** One end of a range in a class. */
  function parseEnd(): number {
    const first = runes[i];
    if (first === undefined) throw malformed(`"[" has no "]"`);
    if (first === "-" || first === "]") throw malformed(`"${first}" stands where a class needs a character; write "\\${first}"`);
    if (first === "\\") i += 1;
    const rune = runes[i];
    if (typeof rune !== "string" || i + 1 === runes.length) throw malformed(`"[" has no "]"`);
    i += 1;
    return codeOf(rune);
  }

  function parseClass(): Token {
    const negated = runes[i] === "^";
    if (negated) i += 1;
    const ranges: [number, number][] = [];
    while (runes[i] !== "]" || ranges.length === 0) {
      const low = parseEnd();
      const isRange = runes[i] === "-";
      if (isRange) i += 1;
      ranges.push([low, isRange ? parseEnd() : low]);
    }
    i += 1;
    return { kind: "class", negated, ranges };
  }

  while (i < runes.length) {
    const rune = runes[i] ?? "";
    i += 1;
    if (rune === "*") tokens.push({ kind: "star" });
    else if (rune === "?") tokens.push({ kind: "any" });
    else if (rune === "[") tokens.push(parseClass());
    else if (rune === "\\") {
      const escaped = runes[i];
      if (escaped === undefined) throw malformed("a backslash ends it");
      tokens.push({ kind: "rune", rune: codeOf(escaped) });
      i += 1;
    } else tokens.push({ kind: "rune", rune: codeOf(rune) });
  }
  return tokens;
}

function codeOf(rune: string | number): number {
  return typeof rune === "number" ? rune : (rune.codePointAt(0) ?? 0);
}
