// Patterns of paths and addresses of repositories: ignore files, --exclude and --parents, globs, git.

import { Filter, type Judgement } from "../../src/build/filter.ts";
import { splitPivot } from "../../src/build/select.ts";
import { isGitSource, parseGitSource } from "../../src/context/git-reference.ts";
import { type IgnoreResult, parseIgnore } from "../../src/context/ignore.ts";
import { matchGlob } from "../../src/filesystem/glob.ts";
import { toRaw } from "../../src/layer/entry.ts";
import { mobyRegExp, modelGlob, modelIgnore } from "./models.ts";
import { mutate } from "./mutate.ts";
import type { Random } from "./random.ts";
import { agree, attempt, holds, type Target } from "./target.ts";
import { makeGlob, makePath, makePathPattern } from "./words.ts";

const separator = "\0";
/** Texts that models are asked about, which try everything, and whose trees are walked. */
function isShort(text: string): boolean {
  return text.length <= 40 && text.split("*").length <= 8;
}

const addresses = [
  ...["https://a.test/b.git", "https://u:p@a.test/b.git#main:dir", "git@a.test:b/c.git?ref=v1#v1", "git://a/b?branch=x&submodules=false"],
  ...[
    "ssh://git@a:22/b.git?tag=v1&mtime=commit",
    "http://a/b.git?checksum=0123456789abcdef&keep-git-dir",
    "https://a/b.git?subdir=%2e%2e%2fx",
  ],
];
const addressParts = [
  "#",
  "?",
  "&",
  "=",
  ":",
  "/",
  "%",
  "%41",
  "ref=",
  "tag=",
  "branch=",
  "subdir=",
  "commit=",
  "fetch-by-commit=1",
  ".git",
  "@",
];
const paths = ["a", "a/a", "a/b", "a/b/ab", "a/c.md", "ab", "ab/b", "b", "b/a", "b/a/b", "c.md", "é"];

function makeIgnore(random: Random): string {
  const lines = random.some(4, () => makePathPattern(random), "\n");
  const text = random.once(3)
    ? mutate(lines, [lines], ["*", "**", "/", "!", "[", "]", "\\", "#", "\n", "\r\n", " ", "\ufeff"], random)
    : lines;
  return text + separator + makePath(random);
}

/** Parents first, as trees are walked. */
function isIgnored(patterns: ReturnType<typeof parseIgnore>, path: string): boolean {
  let result: IgnoreResult | undefined;
  const names = path.split("/");
  for (let i = 1; i <= names.length; i++) result = patterns.match(toRaw(names.slice(0, i).join("/")), result);
  return result?.isIgnored === true;
}

/** What a walk takes that enters only the directories it has to. */
function walk(filter: Filter): string[] {
  const judged = new Map<string, Judgement>();
  const taken: string[] = [];
  for (const path of paths) {
    const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : undefined;
    const above = parent === undefined ? undefined : judged.get(parent);
    if (parent !== undefined && above?.reachesBelow !== true) continue;
    const judgement = filter.judge(toRaw(path), above);
    judged.set(path, judgement);
    if (judgement.isTaken) taken.push(path);
  }
  return taken;
}

export const pathTargets: readonly Target[] = [
  {
    name: "ignore",
    weight: 5,
    make: makeIgnore,
    run: (text) => {
      const [file = "", path = ""] = text.split(separator);
      const patterns = attempt(SyntaxError, () => refuseInLine(file));
      if (!patterns || path === "") return;
      const isLong = !isShort(text);
      const ignored = isLong ? patterns.match(toRaw(path), undefined).isIgnored : isIgnored(patterns, path);
      patterns.mayIgnoreBelow(toRaw(path));
      patterns.mayReincludeBelow(toRaw(path));
      const lines = file.split("\n").filter((line) => line !== "");
      if (isLong || lines.some((line) => /^\/|\/$|^!\/|\/\/|\/!/.test(line))) return;
      const expected = modelIgnore(lines, path);
      if (expected !== undefined) agree("an ignore file hides what its model hides", ignored, expected);
      const [only = ""] = lines;
      const expression = lines.length === 1 && !/^[!#]|(?:^|\/)(?:\.{0,2})(?:\/|$)|^\s|\s$/.test(only) ? mobyRegExp(only) : undefined;
      if (expression)
        agree(`a pattern matches as ${expression} does`, patterns.match(toRaw(path), undefined).isIgnored, expression.test(path));
    },
  },
  {
    name: "filter",
    weight: 2,
    make: (random) => [makePathPattern(random), random.some(3, () => makePathPattern(random), "\n")].join(separator),
    run: (text) => {
      const [source = "", excludes = ""] = text.split(separator);
      const { pattern } = splitPivot(toRaw(source));
      const excluded = excludes.split("\n");
      const filter = attempt(SyntaxError, () => new Filter(toRaw(pattern), excluded.map(toRaw)));
      if (!filter) return;
      const taken = walk(filter);
      if (!isShort(text) || /^[!/]|\n\/|^\/|\n!\/|\/\/|\/\n|\/$|\s$|\n\n|^\n/.test(`${pattern}\n${excludes}`)) return;
      const includes = paths.map((path) => modelIgnore([pattern], path));
      const hides = paths.map((path) => (excludes === "" ? false : modelIgnore(excluded, path)));
      if (pattern === "" || [...includes, ...hides].includes(undefined)) return;
      agree(
        "a filter takes what its model takes",
        taken,
        paths.filter((_, i) => includes[i] && !hides[i]),
      );
    },
  },
  {
    name: "glob",
    weight: 4,
    make: (random) =>
      `${makeGlob(random)}${separator}${random.some(6, () => random.pick(["a", "b", "é", "-", "]", "[", "/", ".", "\\", "^", "🚢"]))}`,
    run: (text) => {
      const [pattern = "", name = ""] = text.split(separator);
      const isMatch = attempt(SyntaxError, () => matchGlob(toRaw(pattern), toRaw(name)));
      // Go takes the first place where what follows a star fits, also where a class then fits the slash that the next star does not.
      const isPlain = !(pattern.includes("[") && name.includes("/"));
      if (isMatch !== undefined && isPlain && isShort(text)) agree("a glob matches as its model does", isMatch, modelGlob(pattern, name));
    },
  },
  {
    name: "git",
    weight: 2,
    make: (random) => mutate(random.pick(addresses), addresses, addressParts, random),
    run: (text) => {
      if (!isGitSource(text)) return;
      const source = attempt(SyntaxError, () => parseGitSource(text));
      if (!source) return;
      holds("what git is given begins the address", text.startsWith(source.remote) && !/[?#]/.test(source.remote));
      const [address = "", fragment = ""] = text.split(/#(.*)/s);
      if (address.includes("?") || fragment.includes("%")) return;
      const [ref = "", subdir = ""] = fragment.split(/:(.*)/s);
      agree("a fragment is a ref and a directory", [source.ref ?? "", source.subdir ?? ""], [ref, subdir]);
    },
  },
];

/** A refusal names file and line. */
function refuseInLine(file: string): ReturnType<typeof parseIgnore> {
  try {
    return parseIgnore(file, ".dockerignore");
  } catch (error) {
    const line = error instanceof SyntaxError ? Number(/^Cannot read \.dockerignore:(\d+):\d+: /.exec(error.message)?.[1]) : 1;
    holds("a refusal names a line of the file", line >= 1 && line <= file.split("\n").length);
    throw error;
  }
}
