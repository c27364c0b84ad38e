// Words with variables, quotes and escapes, and patterns of paths.

import type { Random } from "./random.ts";

const plain = ["a", "b", "ab", "x.y", "/", "-", "1", "é", "a/b", "*", "?", " ", "<", "=", "\\", "{", "}", "\n", "$"];
const names = ["A", "A", "B", "B", "U", "1", "@", "AB"];

/** Of the shell's language; nested at most `depth` deep. */
export function makeWord(random: Random, depth = 3): string {
  return random.some(4, () => makePart(random, depth));
}

function makePart(random: Random, depth: number): string {
  const inner = () => (depth === 0 ? random.pick(plain) : makeWord(random, depth - 1));
  const name = random.pick(names);
  switch (random.below(12)) {
    case 0:
      return `$${name}`;
    case 1:
      return `\${${name}}`;
    case 2:
      return `\${${name}${random.pick(["-", ":-", "+", ":+", "?", ":?", "=", ":"])}${inner()}}`;
    case 3:
      return `\${${name}${random.pick(["#", "##", "%", "%%"])}${inner()}}`;
    case 4:
      return `\${${name}${random.pick(["/", "//"])}${inner()}/${inner()}}`;
    case 5:
      return `'${random.pick(plain)}'`;
    case 6:
      return `"${inner()}"`;
    case 7:
      return `\\${random.pick(plain)}`;
    default:
      return random.pick(plain);
  }
}

const segments = [
  "a",
  "b",
  "ab",
  "c.md",
  "*",
  "?",
  "**",
  "a*",
  "*b",
  "?b",
  "a?",
  "*.md",
  ".",
  "..",
  "",
  "[ab]",
  "[^a]*",
  "\\a",
  "\\*",
  "**b",
  "a**",
  "é",
  "a*b*",
];

/** Of an ignore file. */
export function makePathPattern(random: Random): string {
  const parts = Array.from({ length: 1 + random.few(4) }, () => random.pick(segments));
  return `${random.once(4) ? "!" : ""}${random.once(8) ? "/" : ""}${parts.join("/")}${random.once(8) ? "/" : ""}`;
}

/** A path such as those patterns are meant for. */
export function makePath(random: Random): string {
  return Array.from({ length: 1 + random.few(4) }, () => random.pick(["a", "b", "ab", "aab", "c.md", "é", ".x", "b.md"])).join("/");
}

const globParts = ["a", "b", "-", "é", "*", "?", "[", "]", "^", "\\", "[a-b]", "[^a]", "[\\]a]", "*a", "/", "."];

/** One segment of a path's pattern, right or wrong. */
export function makeGlob(random: Random): string {
  return random.some(7, () => random.pick(globParts));
}
