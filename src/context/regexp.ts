// The part of Go's regular expressions (RE2) that ignore patterns turn into, matched in time linear in the text.

import { decodeRunes } from "../filesystem/filesystem.ts";
import { type RawPath, toRaw } from "../layer/entry.ts";

type Test = (rune: number) => boolean;

type Instruction =
  | { readonly op: "one"; readonly test: Test; readonly rune?: number }
  | { readonly op: "star"; readonly test: Test }
  /** Goes on behind itself and also at `to`. */
  | { readonly op: "fork"; readonly to: number }
  | { readonly op: "assert"; readonly holds: (before: number | undefined, after: number | undefined) => boolean };

/** Tells whether a raw path matches. */
export type Matcher = (path: RawPath) => boolean;

const newline = 0x0a;
const isDigit: Test = (rune) => rune >= 0x30 && rune <= 0x39;
const isSpace: Test = (rune) => rune === 0x20 || rune === 0x09 || rune === newline || rune === 0x0c || rune === 0x0d;
const isWord: Test = (rune) => isDigit(rune) || (rune >= 0x41 && rune <= 0x5a) || (rune >= 0x61 && rune <= 0x7a) || rune === 0x5f;
const isWordEdge = (before?: number, after?: number) => (before !== undefined && isWord(before)) !== (after !== undefined && isWord(after));

const classes: Readonly<Record<string, Test>> = {
  d: isDigit,
  s: isSpace,
  w: isWord,
  D: (rune) => !isDigit(rune),
  S: (rune) => !isSpace(rune),
  W: (rune) => !isWord(rune),
};
const controls: Readonly<Record<string, number>> = { a: 0x07, f: 0x0c, n: newline, r: 0x0d, t: 0x09, v: 0x0b };
const posixClasses: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  ascii: /[^\u0080-\u{10ffff}]/u,
  blank: /[\t ]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this class is
  cntrl: /[\u0000-\u001f\u007f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t\n\v\f\r ]/,
  upper: /[A-Z]/,
  word: /\w/,
  xdigit: /[0-9A-Fa-f]/,
};

/**
 * Compiles an expression of literals, escapes, classes, a final `.*`, `[…]*` and the group "any directories or none", to be matched by
 * whole paths. Throws a SyntaxError where Go finds an error, and for `\\Q`, `\\p` and escapes by number.
 */
export function compileRegexp(expression: readonly number[]): Matcher {
  const program = new Parser(expression).parse();
  const literal = longestLiteral(program);
  return (path) => path.includes(literal) && run(program, decodeRunes(path));
}

/** What every match has in it, as raw bytes: refuses most paths before they are decoded. */
function longestLiteral(program: readonly Instruction[]): RawPath {
  let longest = "";
  let current = "";
  for (const [i, step] of program.entries()) {
    const isOptional = program[i - 2]?.op === "fork";
    const isLiteral = step.op === "one" && step.rune !== undefined && step.rune <= 0x10ffff && !isOptional;
    current = isLiteral ? current + toRaw(String.fromCodePoint(step.rune ?? 0)) : "";
    if (current.length > longest.length) longest = current;
  }
  return longest;
}

/** Walks all alternatives at once, so the time is at most text × program. */
function run(program: readonly Instruction[], text: readonly number[]): boolean {
  let states = new States(program.length + 1);
  let next = new States(program.length + 1);
  states.add(0);
  for (let at = 0; ; at++) {
    const before = text[at - 1];
    const rune = text[at];
    // It visits what is added while it is walked.
    for (let i = 0; i < states.size; i++) {
      const state = states.at(i);
      const step = program[state];
      if (step === undefined) {
        if (rune === undefined) return true;
        continue;
      }
      if (step.op === "fork") {
        states.add(state + 1);
        states.add(step.to);
      } else if (step.op === "assert") {
        if (step.holds(before, rune)) states.add(state + 1);
      } else {
        if (step.op === "star") states.add(state + 1);
        if (rune !== undefined && step.test(rune)) next.add(step.op === "star" ? state : state + 1);
      }
    }
    if (rune === undefined || next.size === 0) return false;
    states.clear();
    [states, next] = [next, states];
  }
}

/** A set of small numbers in the order of their coming, which is emptied in no time: https://research.swtch.com/sparse */
class States {
  size = 0;
  readonly #members: Uint32Array;
  readonly #places: Uint32Array;

  constructor(limit: number) {
    this.#members = new Uint32Array(limit);
    this.#places = new Uint32Array(limit);
  }

  at(place: number): number {
    return this.#members[place] ?? 0;
  }

  add(member: number): void {
    const place = this.#places[member] ?? 0;
    if (place < this.size && this.#members[place] === member) return;
    this.#members[this.size] = member;
    this.#places[member] = this.size++;
  }

  clear(): void {
    this.size = 0;
  }
}

class Parser {
  readonly #runes: readonly number[];
  #at = 0;

  constructor(runes: readonly number[]) {
    this.#runes = runes;
  }

  parse(): Instruction[] {
    const program: Instruction[] = [];
    while (this.#at < this.#runes.length) {
      if (this.#take("(.*/)?")) {
        program.push({ op: "fork", to: program.length + 3 }, { op: "star", test: isNoNewline }, one(0x2f));
        continue;
      }
      if (this.#take("^")) program.push({ op: "assert", holds: (before) => before === undefined });
      else program.push(this.#parseAtom());
    }
    return program;
  }

  #parseAtom(): Instruction {
    if (this.#take(".")) return this.#repeat(isNoNewline);
    if (this.#take("[")) return this.#repeat(this.#parseClass());
    const rune = this.#next();
    if (rune !== 0x5c) return one(rune);
    if (this.#take("A")) return { op: "assert", holds: (before) => before === undefined };
    if (this.#take("z")) return { op: "assert", holds: (_, after) => after === undefined };
    if (this.#take("b")) return { op: "assert", holds: isWordEdge };
    if (this.#take("B")) return { op: "assert", holds: (before, after) => !isWordEdge(before, after) };
    const named = this.#takeClass();
    return named === undefined ? one(this.#parseEscaped()) : { op: "one", test: named };
  }

  #repeat(test: Test): Instruction {
    return { op: this.#take("*") ? "star" : "one", test };
  }

  /** What stands between `[` and `]`; a `]` that comes first is a member. */
  #parseClass(): Test {
    const negated = this.#take("^");
    const tests: Test[] = [];
    while (tests.length === 0 || !this.#take("]")) tests.push(this.#parseMember());
    return (rune) => tests.some((test) => test(rune)) !== negated;
  }

  #parseMember(): Test {
    const posix = this.#takePosixClass();
    if (posix !== undefined) return posix;
    if (this.#peek() === 0x5c) {
      this.#at += 1;
      const named = this.#takeClass();
      if (named !== undefined) return named;
      this.#at -= 1;
    }
    const low = this.#parseMemberRune();
    const isRange = this.#peek() === 0x2d && this.#runes[this.#at + 1] !== 0x5d;
    if (isRange) this.#at += 1;
    const high = isRange ? this.#parseMemberRune() : low;
    if (high < low) throw new SyntaxError("a range in a class runs backwards");
    return (rune) => low <= rune && rune <= high;
  }

  #parseMemberRune(): number {
    const rune = this.#next();
    return rune === 0x5c ? this.#parseEscaped() : rune;
  }

  #takePosixClass(): Test | undefined {
    const rest = String.fromCodePoint(...this.#runes.slice(this.#at, this.#at + 12).map((rune) => Math.min(rune, 0x10ffff)));
    const found = /^\[:(\^?)([^\]]*):\]/.exec(rest);
    if (found === null) return undefined;
    const [all, negated, name = ""] = found;
    const members = posixClasses[name];
    if (members === undefined) throw new SyntaxError(`"${all}" is no class`);
    this.#at += all.length;
    return (rune) => (rune <= 0x10ffff && members.test(String.fromCodePoint(rune))) !== (negated === "^");
  }

  #takeClass(): Test | undefined {
    const test = classes[String.fromCodePoint(Math.min(this.#peek() ?? 0, 0x10ffff))];
    if (test !== undefined) this.#at += 1;
    return test;
  }

  /** What follows a backslash; letters and digits that mean nothing are errors. */
  #parseEscaped(): number {
    const rune = this.#next();
    const letter = rune < 0x80 ? String.fromCharCode(rune) : "";
    const control = controls[letter];
    if (control !== undefined) return control;
    if (letter !== "" && !/[A-Za-z0-9]/.test(letter)) return rune;
    throw new SyntaxError(`"\\${letter || "…"}" is no escape`);
  }

  #peek(): number | undefined {
    return this.#runes[this.#at];
  }

  #next(): number {
    const rune = this.#runes[this.#at];
    if (rune === undefined) throw new SyntaxError(`"[" has no "]", or a backslash ends it`);
    this.#at += 1;
    return rune;
  }

  #take(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#runes[this.#at + i] !== text.charCodeAt(i)) return false;
    this.#at += text.length;
    return true;
  }
}

const isNoNewline: Test = (rune) => rune !== newline;

function one(rune: number): Instruction {
  return { op: "one", test: (other) => other === rune, rune };
}
