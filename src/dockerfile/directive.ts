// Parser directives: the `# key=value` comments at the very top of a Dockerfile.

import { LineError } from "./error.ts";
import { isSpace, trimStart } from "./space.ts";

/** `value` is everything after the `=`, trimmed; `line` is 1-based. */
export interface Directive {
  readonly name: DirectiveName;
  readonly value: string;
  readonly line: number;
}

export type DirectiveName = "syntax" | "escape" | "check";

const names: ReadonlySet<string> = new Set<DirectiveName>(["syntax", "escape", "check"]);

/** Reads lines one after another until the first that is no directive; a directive given twice is a LineError. */
export class DirectiveReader {
  readonly #comment: string;
  readonly #seen = new Set<string>();
  #done = false;

  constructor(comment = "#") {
    this.#comment = comment;
  }

  /** undefined: no directive, and none will follow. The line has no line end. */
  read(line: string, number: number): Directive | undefined {
    if (this.#done) return undefined;
    const found = line.startsWith(this.#comment) ? matchDirective(trimStart(line.slice(this.#comment.length))) : undefined;
    if (!found) {
      this.#done = true;
      return undefined;
    }
    if (this.#seen.has(found.name)) throw new LineError(`only one ${found.name} parser directive can be used`);
    this.#seen.add(found.name);
    return { ...found, line: number };
  }
}

function matchDirective(text: string): { name: DirectiveName; value: string } | undefined {
  const key = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=/.exec(text);
  const name = key?.[1]?.toLowerCase();
  if (!key || name === undefined || !isDirectiveName(name)) return undefined;
  const value = trimBlanks(text.slice(key[0].length));
  return value === "" ? undefined : { name, value };
}

function isDirectiveName(name: string): name is DirectiveName {
  return names.has(name);
}

function trimBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text.charAt(end - 1))) end--;
  let start = 0;
  while (start < end && isBlank(text.charAt(start))) start++;
  return text.slice(start, end);
}

function isBlank(character: string): boolean {
  return isSpace(character) && character < "\x80" && character !== "\v";
}

/**
 * The directives as tools look for them before they parse: a `#!` line may come first; for `syntax`, `// syntax=…` and a file that is
 * one JSON object count too. A directive that comes twice ends the search.
 */
export function findDirective(name: DirectiveName, text: string): Directive | undefined {
  const found = searchLines(name, text, "#");
  if (found || name !== "syntax") return found;
  return searchLines(name, text, "//") ?? searchJson(name, text);
}

function searchLines(name: DirectiveName, text: string, comment: string): Directive | undefined {
  const reader = new DirectiveReader(comment);
  let number = 0;
  for (const line of eachLine(text)) {
    number++;
    if (number === 1 && line.startsWith("#!")) continue;
    try {
      const directive = reader.read(line, number);
      if (directive === undefined || directive.name === name) return directive;
    } catch (error) {
      if (error instanceof LineError) return undefined;
      throw error;
    }
  }
  return undefined;
}

function* eachLine(text: string): Iterable<string> {
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    yield text.slice(start, end).replace(/\r$/, "");
    start = end + 1;
  }
  if (start < text.length) yield text.slice(start);
}

function searchJson(name: DirectiveName, text: string): Directive | undefined {
  if (!/^[\t\n\r ]*\{/.test(text)) return undefined;
  try {
    const value: unknown = (JSON.parse(text) as Record<string, unknown>)[name];
    return typeof value === "string" ? { name, value, line: 1 } : undefined;
  } catch {
    return undefined;
  }
}
