// One logical line of a Dockerfile: instruction word, flags, and arguments in the form that the instruction takes.

import { LineError } from "./error.ts";
import type { Escape } from "./expand.ts";
import { quote } from "./quote.ts";
import { cutBlanks, isSpace, splitBlanks, trim, trimStart } from "./space.ts";

/** What a logical line says, before anybody asks whether the instruction is right. */
export interface Line {
  /** The instruction as it is written. */
  readonly word: string;
  /** `--name` or `--name=value`, quotes and escapes taken away. */
  readonly flags: readonly string[];
  readonly args: readonly string[];
  /** The arguments were a JSON array. */
  readonly json: boolean;
  /** What ONBUILD is to trigger. */
  readonly trigger?: Line;
}

type Arguments = Pick<Line, "args" | "json" | "trigger">;

/** A part of a text; of a flag, without its quotes and escapes. `end` is behind its last character. */
export interface Span {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Splits a logical line. Throws a LineError. */
export function readLine(text: string, token: Escape): Line {
  const trimmed = trim(text);
  const [word, rest] = cutBlanks(trimmed) ?? [trimmed, ""];
  const { flags, end } = findFlags(rest, token);
  const args = rest.slice(end);
  return { word, flags: flags.map(({ text }) => text), ...readArguments(word.toLowerCase(), trim(args), token) };
}

function readArguments(instruction: string, rest: string, token: Escape): Arguments {
  switch (instruction) {
    case "add":
    case "copy":
    case "volume":
      return readJson(rest) ?? plain(rest === "" ? [] : splitBlanks(rest));
    case "cmd":
    case "entrypoint":
    case "run":
    case "shell":
      return readJson(rest) ?? plain(rest === "" ? [] : [rest]);
    case "expose":
    case "from":
      return plain(rest === "" ? [] : splitBlanks(rest));
    case "maintainer":
    case "stopsignal":
    case "user":
    case "workdir":
      return plain(rest === "" ? [] : [rest]);
    case "arg":
      return plain(findQuoted(rest, token).map(({ text }) => text));
    case "env":
    case "label":
      return plain(readPairs(rest, instruction.toUpperCase(), token));
    case "healthcheck":
      return readHealthcheck(rest);
    case "onbuild":
      return rest === "" ? plain([]) : readTrigger(rest, token);
    default:
      return plain([""]);
  }
}

function plain(args: readonly string[]): Arguments {
  return { args, json: false };
}

function readTrigger(rest: string, token: Escape): Arguments {
  const [word = ""] = splitBlanks(rest);
  // ONBUILD may not trigger ONBUILD; how deep it nests is nobody's concern.
  if (word.toLowerCase() === "onbuild") return plain([word]);
  const trigger = readLine(rest, token);
  return { args: [trigger.word, ...trigger.args], json: trigger.json, trigger };
}

/** undefined: no JSON array, so it is meant otherwise. An array of something else than strings is an error. */
function readJson(text: string): Arguments | undefined {
  const array = trimStart(text);
  if (!array.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(array);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw new LineError("when using JSON array syntax, arrays must be comprised of strings only", undefined, { of: "arguments" });
  }
  return { args: value.map((item) => item.toWellFormed()), json: true };
}

function readHealthcheck(rest: string): Arguments {
  let end = 0;
  while (end < rest.length && !isSpace(rest.charAt(end))) end++;
  if (end === 0) return plain([]);
  const type = rest.slice(0, end);
  const command = trimStart(rest.slice(end));
  const { args, json } = readJson(command) ?? plain(command === "" ? [] : [command]);
  return { args: [type, ...args], json };
}

/** Three strings for each pair: key, value and `=`; or once, for `KEY rest of the line`, key, value and nothing. */
function readPairs(rest: string, instruction: string, token: Escape): string[] {
  const words = findQuoted(rest, token).map(({ text }) => text);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.includes("=")) {
    const pair = cutBlanks(rest);
    if (!pair) throw new LineError(`${instruction} must have two arguments`, undefined, { of: "arguments" });
    return [...pair, ""];
  }
  return words.flatMap((word, index) => {
    const equals = word.indexOf("=");
    if (equals < 0)
      throw new LineError(`Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`, undefined, {
        of: "argument",
        index,
      });
    return [word.slice(0, equals), word.slice(equals + 1), "="];
  });
}

/** The words that white space outside of quotes separates; quotes and escapes stay in them. */
export function findQuoted(text: string, token: Escape): Span[] {
  const words: Span[] = [];
  let start: number | undefined;
  let open = "";
  const add = (end: number) => {
    if (start !== undefined) words.push({ text: text.slice(start, end), start, end });
    start = undefined;
  };
  for (let index = 0; index < text.length; index++) {
    const first = index;
    const character = text.charAt(index);
    if (open === "" && isSpace(character)) {
      add(index);
      continue;
    }
    if (open === "" && (character === "'" || character === '"')) open = character;
    else if (open !== "" && character === open) open = "";
    else if (character === token && open !== "'" && ++index === text.length) {
      add(first);
      return words;
    }
    start ??= first;
  }
  add(text.length);
  return words;
}

/** The words in front that begin with `--`, up to a bare `--`, and where what comes after them begins. */
export function findFlags(text: string, token: Escape): { readonly flags: readonly Span[]; readonly end: number } {
  const flags: Span[] = [];
  let index = 0;
  for (;;) {
    while (index < text.length && isSpace(text.charAt(index))) index++;
    if (!text.startsWith("--", index)) return { flags, end: index };
    const start = index;
    let flag = "";
    let open = "";
    for (; index < text.length && (open !== "" || !isSpace(text.charAt(index))); index++) {
      const character = text.charAt(index);
      if (character === open) open = "";
      else if (open === "" && (character === "'" || character === '"')) open = character;
      else if (character === token) flag += text.charAt(++index);
      else flag += character;
    }
    if (flag === "--") return { flags, end: Math.min(index, text.length) };
    flags.push({ text: flag, start, end: Math.min(index, text.length) });
  }
}
