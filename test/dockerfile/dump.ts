// The parse tree in the form of BuildKit's parser tests.

import type { Line } from "../../src/dockerfile/line.ts";
import { quote, quoteList } from "../../src/dockerfile/quote.ts";
import { trim } from "../../src/dockerfile/space.ts";

/** One `(instruction ["--flag"] "argument" …)` line for each instruction. */
export function dumpLines(lines: readonly Line[]): string {
  return lines.map((line) => `(${dumpLine(line)})\n`).join("");
}

function dumpLine(line: Line): string {
  const flags = line.flags.length === 0 ? [] : [quoteList(line.flags)];
  const args = line.trigger ? [`(${dumpLine(line.trigger)})`] : line.args.map(quote);
  return trim([line.word.toLowerCase(), ...flags, ...args].join(" "));
}
