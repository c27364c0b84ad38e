// The lines of a Dockerfile joined into instructions, each with its heredocs, the comments above it and its place.

import { type Directive, type DirectiveName, DirectiveReader } from "./directive.ts";
import { DockerfileError, LineError, lineRange, type Position, type Range } from "./error.ts";
import type { Escape } from "./expand.ts";
import { findHeredocs, type Heredoc } from "./heredoc.ts";
import { joinLines, type LineSource, trimLineEnd } from "./join.ts";
import { type Line, readLine } from "./line.ts";
import { locateErrors } from "./locate.ts";
import { trim, trimStart } from "./space.ts";

/** An instruction that is not yet known to be right. */
export interface Node extends Line {
  readonly heredocs: readonly Heredoc[];
  /** The lines joined, without the bodies of heredocs. */
  readonly original: string;
  /** The comment lines directly above, without their `#`. */
  readonly comments: readonly string[];
  readonly range: Range;
}

/** A thing to mention that does not stop a build; `rule` is the name of BuildKit's check. */
export interface Warning {
  readonly rule: string;
  readonly message: string;
  readonly range: Range;
}

export interface Nodes {
  readonly nodes: readonly Node[];
  readonly escape: Escape;
  readonly directives: Readonly<Partial<Record<DirectiveName, Directive>>>;
  readonly warnings: readonly Warning[];
}

const maxLineBytes = 65535;

/** Splits a file into instructions. Throws a DockerfileError. */
export function readNodes(source: string, file: string): Nodes {
  return new NodeReader(source, file).read();
}

class NodeReader implements LineSource {
  readonly #source: string;
  readonly #file: string;
  /** Physical lines with their line ends. */
  readonly #lines: readonly string[];
  /** Lines taken so far, which is the 1-based number of the last one. */
  taken = 0;
  #escape: Escape = "\\";
  #comments: string[] = [];
  readonly #directives: Partial<Record<DirectiveName, Directive>> = {};
  readonly #warnings: Warning[] = [];

  constructor(source: string, file: string) {
    this.#source = source;
    this.#file = file;
    this.#lines = source.replace(/^\uFEFF/, "").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }

  read(): Nodes {
    if (this.#source === "") throw this.#error("the Dockerfile cannot be empty", lineRange(1));
    const nodes: Node[] = [];
    const directiveReader = new DirectiveReader();
    for (let line = this.take(); line !== undefined; line = this.take()) {
      const text = trimStart(trimLineEnd(line));
      this.#at(this.#range(this.taken), () => this.#readDirective(directiveReader, text));
      if (text === "" || text.startsWith("#")) continue;
      nodes.push(this.#readNode(line));
      this.#comments = [];
    }
    if (nodes.length === 0) throw this.#error("file with no instructions", lineRange(Math.max(1, this.taken)));
    return { nodes, escape: this.#escape, directives: this.#directives, warnings: this.#warnings };
  }

  #readDirective(reader: DirectiveReader, line: string): void {
    const directive = reader.read(line, this.taken);
    if (directive) {
      this.#directives[directive.name] = directive;
      if (directive.name === "escape") this.#escape = readEscape(directive.value);
    } else if (line.startsWith("#")) {
      const comment = trim(line.slice(1));
      if (comment === "") this.#comments = [];
      else this.#comments.push(comment);
    } else if (line === "") this.#comments = [];
  }

  #readNode(line: string): Node {
    const first = this.taken;
    const { text: original, hasGap } = joinLines(line, this, this.#escape);
    const range = () => this.#range(first);
    if (hasGap) this.#warnings.push({ rule: "NoEmptyContinuation", message: "Empty continuation line", range: range() });
    return this.#at(range(), () => {
      const line = readLine(original, this.#escape);
      const heredocs = takesHeredocs(line) && original.includes("<<") ? this.#readHeredocs(original) : [];
      return { ...line, heredocs, original, comments: this.#comments, range: range() };
    });
  }

  #readHeredocs(original: string): Heredoc[] {
    return findHeredocs(original).map((mark) => {
      const content: string[] = [];
      for (let line = this.take(); line !== undefined; line = this.take()) {
        const end = trimLineEnd(line);
        if ((mark.chomp ? end.replace(/^\t+/, "") : end) === mark.name) return { ...mark, content: content.join("") };
        content.push(line);
      }
      throw new LineError("unterminated heredoc", `no line is just ${mark.name}`, { inner: findMark(original, mark.name) });
    });
  }

  take(): string | undefined {
    const line = this.#lines[this.taken];
    if (line === undefined) return undefined;
    this.taken++;
    if (line.length * 3 > maxLineBytes && Buffer.byteLength(line.replace(/\n$/, "")) > maxLineBytes) {
      throw this.#error(`dockerfile line greater than max allowed size of ${maxLineBytes}`, lineRange(this.taken));
    }
    return line;
  }

  #range(first: number): Range {
    const start = this.#lines[first - 1] ?? "";
    const end: Position = { line: this.taken, column: trimLineEnd(this.#lines[this.taken - 1] ?? "").length + 1 };
    return { start: { line: first, column: start.length - trimStart(start).length + 1 }, end };
  }

  #at<T>(range: Range, action: () => T): T {
    return locateErrors({ file: this.#file, source: this.#source }, range, action);
  }

  #error(reason: string, range: Range): DockerfileError {
    return new DockerfileError(reason, { file: this.#file, range });
  }
}

function readEscape(value: string): Escape {
  if (value === "\\" || value === "`") return value;
  throw new LineError(`invalid escape token '${value}' does not match \` or \\`, undefined, { inner: value });
}

/** Only these read heredocs, and not in their JSON form, which knows no shell words. */
function takesHeredocs(line: Line): boolean {
  const { word, json } = line.word.toLowerCase() === "onbuild" && line.trigger ? line.trigger : line;
  return !json && ["run", "copy", "add"].includes(word.toLowerCase());
}

/** The word that begins a heredoc, as it is written. */
function findMark(original: string, name: string): string {
  const at = original.indexOf(name, original.indexOf("<<"));
  const start = original.lastIndexOf("<<", at);
  return start < 0 ? "<<" : original.slice(start, at + name.length);
}
