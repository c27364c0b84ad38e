// Finds the place of what an error is about: a flag, a word, a variable, wherever continuations and heredocs have put it.

import { DirectiveReader } from "./directive.ts";
import { DockerfileError, LineError, type Part, type Position, type Range } from "./error.ts";
import type { Escape } from "./expand.ts";
import { findHeredocMark, findHeredocs } from "./heredoc.ts";
import { type Joined, joinLines, type LineSource, positionAt, trimLineEnd } from "./join.ts";
import { findFlags, findQuoted, type Span } from "./line.ts";
import { trim, trimStart } from "./space.ts";

/** A Dockerfile; without its text, the place of an error is all of the instruction. */
export interface Located {
  readonly file: string;
  readonly source?: string;
}

/** Runs `action` for the instruction at a range; a LineError that it throws becomes a DockerfileError, as exactly placed as can be. */
export function locateErrors<T>({ file, source }: Located, instruction: Range, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    const exact = source === undefined ? undefined : locatePart(source, instruction.start.line, error.part);
    throw new DockerfileError(error.message, { file, range: exact ?? instruction, instruction, hint: error.hint, cause: error });
  }
}

/** Where a part of the instruction that begins at a line stands; undefined where it is not to be found. */
export function locatePart(source: string, line: number, part: Part): Range | undefined {
  if (part.of === undefined && part.inner === undefined) return undefined;
  const lines = new Lines(source, line);
  const first = lines.take();
  if (first === undefined) return undefined;
  const token = readToken(source);
  const joined = joinLines(first, lines, token);
  if (part.of === "heredoc") return locateBody(lines, joined, part);
  const found = part.of === undefined ? findText(joined.text, part.inner) : findPart(joined.text, 0, token, part);
  if (found === undefined) return undefined;
  const end = positionAt(joined, Math.max(found.start, found.end - 1));
  return { start: positionAt(joined, found.start), end: found.end > found.start ? { line: end.line, column: end.column + 1 } : end };
}

class Lines implements LineSource {
  readonly #lines: readonly string[];
  taken: number;

  constructor(source: string, line: number) {
    this.#lines = source.replace(/^\uFEFF/, "").split("\n");
    this.taken = line - 1;
  }

  take(): string | undefined {
    const line = this.#lines[this.taken];
    if (line !== undefined) this.taken++;
    return line;
  }
}

/** The escape character; a directive for it that is wrong has stopped the parser before. */
function readToken(source: string): Escape {
  const reader = new DirectiveReader();
  const lines = new Lines(source, 1);
  for (let line = lines.take(); line !== undefined; line = lines.take()) {
    let directive: ReturnType<DirectiveReader["read"]>;
    try {
      directive = reader.read(trimStart(trimLineEnd(line)), lines.taken);
    } catch {
      break;
    }
    if (directive === undefined) break;
    if (directive.name === "escape" && directive.value === "`") return "`";
  }
  return "\\";
}

type Place = Pick<Span, "start" | "end">;

function findText(text: string, wanted = ""): Place | undefined {
  const start = text.indexOf(wanted);
  return wanted === "" || start < 0 ? undefined : { start, end: start + wanted.length };
}

/** In the text of an instruction from `base` on; of ONBUILD, in what it triggers. */
function findPart(text: string, base: number, token: Escape, part: Part): Place | undefined {
  const rest = text.slice(base);
  const start = base + rest.length - trimStart(rest).length;
  const word = /^[^\t\v\f\r ]*/.exec(text.slice(start))?.[0] ?? "";
  const after = start + word.length;
  const tail = trimStart(text.slice(after));
  if (word.toLowerCase() === "onbuild" && tail !== "" && !tail.startsWith("--")) return findPart(text, after, token, part);
  if (part.of === "word") return { start, end: after };
  const { flags, end } = findFlags(text.slice(after), token);
  if (part.of === "flag")
    return findFlag(
      text,
      flags.map((flag) => shift(flag, after)),
      part,
    );
  const written = text.slice(after + end);
  const first = after + end + written.length - trimStart(written).length;
  const whole = { text: trim(written), start: first, end: first + trim(written).length };
  if (whole.text === "") return undefined;
  if (part.of === "arguments") return narrow(text, whole, part, 0);
  const found = findArgument(word.toLowerCase(), whole, token, part);
  return found && narrow(text, found, part, 0);
}

function shift({ text, start, end }: Span, by: number): Span {
  return { text, start: start + by, end: end + by };
}

function findFlag(text: string, flags: readonly Span[], part: Part): Place | undefined {
  const wanted = part.text ?? "";
  const name = wanted.split("=", 1)[0];
  const named = flags.filter((flag) => flag.text.split("=", 1)[0] === name);
  const { inner } = part;
  const found =
    (part.isLast ? named.at(-1) : undefined) ??
    flags.find((flag) => flag.text === wanted) ??
    named.find((flag) => inner === undefined || text.slice(flag.start, flag.end).includes(inner)) ??
    (named.length === 1 ? named[0] : undefined);
  if (found === undefined) return undefined;
  const equals = text.slice(found.start, found.end).indexOf("=");
  return narrow(text, found, part, part.at === undefined ? 0 : equals + 1);
}

function findArgument(word: string, whole: Span, token: Escape, part: Part): Span | undefined {
  const words = listArguments(word, whole, token);
  if (part.of === "last argument") return words.at(-1);
  if (part.of === "source") return words.slice(0, -1).filter(({ text }) => !findHeredocMark(text))[part.index ?? 0];
  if (part.index !== undefined) return words[part.index];
  const { text } = part;
  const pairs = words.flatMap((one) => splitPair(one));
  return [...words, ...pairs, whole, ...restOf(whole)].find((candidate) => candidate.text === text);
}

function listArguments(word: string, whole: Span, token: Escape): Span[] {
  const strings = listStrings(whole);
  if (strings !== undefined) return strings;
  if (["env", "label", "arg"].includes(word)) return findQuoted(whole.text, token).map((one) => shift(one, whole.start));
  if (!["add", "copy", "expose", "from", "volume", "healthcheck"].includes(word)) return [whole];
  return Array.from(whole.text.matchAll(/[^\t\v\f\r ]+/g), ({ 0: text, index }) =>
    shift({ text, start: index, end: index + text.length }, whole.start),
  );
}

/** The strings of a JSON array, as they read. */
function listStrings(whole: Span): Span[] | undefined {
  try {
    if (!whole.text.startsWith("[") || !Array.isArray(JSON.parse(whole.text))) return undefined;
  } catch {
    return undefined;
  }
  return Array.from(whole.text.matchAll(/"(?:[^"\\]|\\.)*"/gs), ({ 0: written, index }) => {
    return shift({ text: String(JSON.parse(written)), start: index, end: index + written.length }, whole.start);
  });
}

/** `KEY=VALUE` in its parts. */
function splitPair({ text, start, end }: Span): Span[] {
  const equals = text.indexOf("=");
  if (equals < 0) return [];
  return [
    { text: text.slice(0, equals), start, end: start + equals },
    { text: text.slice(equals + 1), start: start + equals + 1, end },
  ];
}

/** `KEY rest of the line` in its parts. */
function restOf({ text, start, end }: Span): Span[] {
  const blanks = /[\t\v\f\r ]+/.exec(text);
  if (blanks === null) return [];
  const after = blanks.index + blanks[0].length;
  return [
    { text: text.slice(0, blanks.index), start, end: start + blanks.index },
    { text: text.slice(after), start: start + after, end },
  ];
}

/** What of a span is meant; `before` is what of it does not count for `at`. */
function narrow(text: string, { start, end }: Place, { inner, at }: Part, before: number): Place {
  if (inner === undefined || inner === "") return { start, end };
  const written = text.slice(start, end);
  const exact = before + (at ?? 0);
  const found = written.startsWith(inner, exact) ? exact : written.indexOf(inner);
  return found < 0 ? { start, end } : { start: start + found, end: start + found + inner.length };
}

/** In the body of a heredoc, whose lines may have lost their tabs. */
function locateBody(lines: LineSource, joined: Joined, { text: name, inner = "", at = 0 }: Part): Range | undefined {
  for (const mark of findHeredocs(joined.text)) {
    let offset = 0;
    for (let line = lines.take(); line !== undefined; line = lines.take()) {
      const written = trimLineEnd(line);
      const body = mark.chomp ? line.replace(/^\t+/, "") : line;
      if (trimLineEnd(body) === mark.name) break;
      if (mark.name === name && at < offset + body.length + 1)
        return rangeIn(written, lines.taken, at - offset + line.length - body.length, inner);
      offset += body.length + 1;
    }
  }
  return undefined;
}

/** A part may go on in the next line; its first line is shown. */
function rangeIn(written: string, line: number, start: number, inner: string): Range {
  const [first = ""] = inner.split("\n");
  const position = (column: number): Position => ({ line, column: Math.min(column, written.length) + 1 });
  return { start: position(start), end: position(start + first.length) };
}
