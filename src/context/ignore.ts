// An ignore file: patterns in order, of which the last that matches a path or one of its parents decides.

import { type RawPath, toRaw, toText } from "../layer/entry.ts";
import { type IgnorePattern, parseIgnorePattern } from "./ignore-pattern.ts";

/** What became of one path; hand it in again for the paths below. */
export interface IgnoreResult {
  readonly isIgnored: boolean;
  /** For each pattern, whether it matched the path or one of its parents. */
  readonly matched: readonly boolean[];
}

export interface IgnorePatterns {
  /** `parent` is the result for the directory that the path lies in; undefined for the root's own children. */
  match(path: RawPath, parent: IgnoreResult | undefined): IgnoreResult;
  /** Whether a `!` pattern may bring back something below an ignored directory: else the directory need not be looked at. */
  mayReincludeBelow(directory: RawPath): boolean;
  /** Whether a pattern without `!` may match something below a directory that none has matched. */
  mayIgnoreBelow(directory: RawPath): boolean;
  /** There are `!` patterns. */
  readonly hasExceptions: boolean;
}

/**
 * Reads a `.dockerignore` file, given as UTF-8 or as its bytes, after moby/patternmatcher. Throws a SyntaxError with `file:line:column` for
 * a malformed pattern.
 */
export function parseIgnore(text: string | Uint8Array, file: string): IgnorePatterns {
  const bytes = typeof text === "string" ? Buffer.from(text, "utf8") : Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const lines = bytes
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "")
    .split("\n");
  const patterns: IgnorePattern[] = [];
  for (const [i, line] of lines.entries()) {
    const pattern = cleanLine(line.replace(/\r$/, ""));
    if (pattern === undefined) continue;
    try {
      patterns.push(parseIgnorePattern(pattern));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SyntaxError(`Cannot read ${file}:${i + 1}:${columnOf(line)}: ${why}`, { cause });
    }
  }
  return joinPatterns(patterns);
}

/**
 * Patterns that come one by one, not as a file, after patternmatcher.New: `#` begins no comment, and a slash at the start stays, so that
 * such a pattern matches nothing. Throws a SyntaxError that says what is wrong with one.
 */
export function readPatterns(texts: readonly RawPath[]): IgnorePatterns {
  const written = texts.map(trim).filter((text) => text !== "");
  return joinPatterns(written.map((text) => parseIgnorePattern(cleanPath(text))));
}

/** Where the pattern begins. */
function columnOf(line: RawPath): number {
  return toText(line.slice(0, line.indexOf(trim(line)))).length + 1;
}

function joinPatterns(patterns: readonly IgnorePattern[]): IgnorePatterns {
  const reaches = (isException: boolean, directory: RawPath) =>
    patterns.some((pattern) => pattern.isException === isException && pattern.reachesBelow(directory));
  return {
    match: (path, parent) => matchAll(patterns, path, parent),
    mayReincludeBelow: (directory) => reaches(true, directory),
    mayIgnoreBelow: (directory) => reaches(false, directory),
    hasExceptions: patterns.some((pattern) => pattern.isException),
  };
}

/** The same patterns, and whatever they say one path and all below it are hidden. */
export function hidePath(patterns: IgnorePatterns, hidden: RawPath): IgnorePatterns {
  const isHidden = (path: RawPath) => path === hidden || path.startsWith(`${hidden}/`);
  return {
    match: (path, parent) => (isHidden(path) ? { isIgnored: true, matched: [] } : patterns.match(path, parent)),
    mayIgnoreBelow: (directory) => directory === "" || `${hidden}/`.startsWith(`${directory}/`) || patterns.mayIgnoreBelow(directory),
    mayReincludeBelow: (directory) => !isHidden(directory) && patterns.mayReincludeBelow(directory),
    hasExceptions: patterns.hasExceptions,
  };
}

function matchAll(patterns: readonly IgnorePattern[], path: RawPath, parent: IgnoreResult | undefined): IgnoreResult {
  const matched = patterns.map((pattern, i) => parent?.matched[i] === true || pattern.matches(path));
  const last = matched.lastIndexOf(true);
  return { matched, isIgnored: last >= 0 && patterns[last]?.isException === false };
}

/** A line's pattern as moby's ignorefile reads it: trimmed, cleaned, relative; undefined for comments and empty lines. */
function cleanLine(line: string): RawPath | undefined {
  if (line.startsWith("#")) return undefined;
  const trimmed = trim(line);
  if (trimmed === "") return undefined;
  const isException = trimmed.startsWith("!");
  const pattern = isException ? trim(trimmed.slice(1)) : trimmed;
  if (pattern === "") return "!";
  const cleaned = cleanPath(pattern);
  const relative = cleaned.length > 1 && cleaned.startsWith("/") ? cleaned.slice(1) : cleaned;
  return isException ? cleanPath(`!${relative}`) : relative;
}

/** Unicode's white space as UTF-8: what Go's strings.TrimSpace takes away. */
const spaces = [
  ..."\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000",
  ...Array.from({ length: 11 }, (_, i) => String.fromCharCode(0x2000 + i)),
].map(toRaw);

function trim(text: RawPath): RawPath {
  let rest = text;
  for (let found = first(); found !== undefined; found = first()) rest = rest.slice(found.length);
  for (let found = last(); found !== undefined; found = last()) rest = rest.slice(0, -found.length);
  return rest;

  function first(): string | undefined {
    return spaces.find((space) => rest.startsWith(space));
  }
  function last(): string | undefined {
    return spaces.find((space) => rest.endsWith(space));
  }
}

/** Go's filepath.Clean. */
function cleanPath(path: RawPath): RawPath {
  const isRooted = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!isRooted) parts.push("..");
  }
  return (isRooted ? "/" : "") + parts.join("/") || ".";
}

/** Hides nothing. */
export const noPatterns: IgnorePatterns = parseIgnore("", "");
