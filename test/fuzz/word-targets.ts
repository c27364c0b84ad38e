// Words: their expansion, the patterns in it, and the values that flags have.

import { parseCsv } from "../../src/dockerfile/csv.ts";
import { expandBody, expandWord, expandWords, LineError, readMount } from "../../src/dockerfile/dockerfile.ts";
import { parseDuration } from "../../src/dockerfile/duration.ts";
import { readFlagValues } from "../../src/dockerfile/flags.ts";
import { findHeredocs } from "../../src/dockerfile/heredoc.ts";
import { readMountFlag } from "../../src/dockerfile/mount.ts";
import { replaceMatches, trimPrefix, trimSuffix } from "../../src/dockerfile/pattern.ts";
import { parseBoolean, parseBytes, parseUnsigned } from "../../src/dockerfile/scalar.ts";
import { suggest } from "../../src/dockerfile/suggest.ts";
import { modelExpand, patternRegExp, Wrong } from "./models.ts";
import { mutate } from "./mutate.ts";
import type { Random } from "./random.ts";
import { agree, attempt, holds, type Target } from "./target.ts";
import { makeWord } from "./words.ts";

/** Parts of a text that stand for different things. */
const separator = "\0";
/** Models are asked about patterns and values of at most so many characters. */
const shortest = 14;

function makeParts(random: Random): string {
  return [makeWord(random), random.pick(["", "", "x", "a b", "ab/b.c", "aXbXb"]), random.pick(["", "*", "b?", "\\*b"])].join(separator);
}

const patternParts = ["a", "b", "*", "?", "\\*", "\\?", "\\\\", "\\}", "\\/", "é", "\n", ".", "(", "\\"];
const valueParts = ["a", "b", "ab", "*", "?", "\\", "é", "\n", ".", "(", "/", "}"];

const flags = [
  "--from=a",
  "--link",
  "--link=false",
  "--mount=type=cache,target=/x",
  '--mount="a,b"',
  "--x",
  "--lnik",
  "--mount",
  "--from",
  "--=",
  "--",
];
const values = [
  "1h30m",
  "-1.5s",
  "1e3",
  "64m",
  "1.5GiB",
  "0755",
  "4294967296",
  "true",
  "T",
  'type=bind,"a=b""c",ro',
  "from=$x",
  "size=1",
  'a"b',
  "µs",
  ".s",
];

export const wordTargets: readonly Target[] = [
  {
    name: "expand",
    weight: 5,
    make: makeParts,
    run: (text) => {
      const [word = "", ...given] = text.split(separator);
      const get = (name: string) => given["AB".indexOf(name)];
      for (const token of ["\\", "`"] as const) attempt(LineError, () => expandWords(word, { get, escape: token }));
      attempt(LineError, () => expandBody(word, { get }));
      findHeredocs(word);
      const expanded = attempt(LineError, () => expandWord(word, { get, escape: "\\" }));
      try {
        const expected = modelExpand(word, get);
        if (expected !== undefined) agree("a word expands as its model says", expanded, expected);
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        holds("a word is refused as its model says", expanded === undefined);
      }
    },
  },
  {
    name: "pattern",
    weight: 3,
    make: (random) =>
      [random.some(5, () => random.pick(patternParts)), random.some(8, () => random.pick(valueParts)), random.pick(["", "x", "$0"])].join(
        separator,
      ),
    run: (text) => {
      const [pattern = "", value = "", replacement = ""] = text.split(separator);
      const trims = ([trimPrefix, trimSuffix] as const).flatMap((trim) =>
        [false, true].map((longest) => attempt(LineError, () => trim(pattern, value, longest))),
      );
      const replaced = [false, true].map((all) => attempt(LineError, () => replaceMatches(pattern, value, replacement, all)));
      if (pattern.length + value.length > shortest) return;
      const whole = patternRegExp(pattern);
      holds("a pattern is refused as its model says", (whole === undefined) === (replaced[0] === undefined));
      if (whole) agree("patterns cut as their model says", trims, modelTrims(whole, Array.from(value)));
      if (whole && !replacement.includes("$"))
        agree("patterns replace as their model says", replaced, modelReplace(whole, value, replacement));
    },
  },
  {
    name: "values",
    weight: 2,
    make: (random) => {
      const base = random.once(2) ? random.some(4, () => random.pick(flags), separator) : random.pick(values);
      return random.once(2) ? base : mutate(base, values, [separator, ",", '"', "=", "1", "m", ".", "$"], random);
    },
    run: (text) => {
      const known = { from: "text", link: "boolean", mount: "list", "keep-git-dir": "boolean" } as const;
      attempt(LineError, () =>
        readFlagValues(
          text.split(separator).filter((flag) => flag.startsWith("--")),
          known,
        ),
      );
      const fields = attempt(LineError, () => parseCsv(text, "values"));
      if (text !== "" && !/["\n]/.test(text)) agree("a record without quotes is split at its commas", fields, text.split(","));
      if (fields && fields.join("") !== "") {
        const written = fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(",");
        if (!/\r?\n$/.test(written)) agree("a record that is quoted reads back", parseCsv(written, "values"), fields);
      }
      attempt(LineError, () => readMount(readMountFlag(text), (word) => word));
      const duration = attempt(LineError, () => parseDuration(text));
      holds("a duration is a number", duration === undefined || Number.isFinite(duration));
      const size = attempt(LineError, () => parseBytes(text, "size"));
      holds("a size is a number", size === undefined || Number.isFinite(size));
      attempt(LineError, () => parseBoolean(text, "flag"));
      attempt(LineError, () => parseUnsigned(text, 8, "mode"));
      suggest(text, Object.keys(known));
    },
  },
];

/** Prefix, then suffix, each shortest first. */
function modelTrims(whole: RegExp, characters: readonly string[]): string[] {
  const ends = Array.from({ length: characters.length + 1 }, (_, i) => i);
  const heads = ends.filter((end) => whole.test(characters.slice(0, end).join("")));
  const tails = ends.filter((start) => whole.test(characters.slice(start).join("")));
  const from = (start: number | undefined) => characters.slice(start ?? 0).join("");
  const to = (end: number | undefined) => characters.slice(0, end ?? characters.length).join("");
  return [from(heads[0]), from(heads.at(-1)), to(tails.at(-1)), to(tails[0])];
}

/** The first match, then all; an empty one right behind another does not count. */
function modelReplace(whole: RegExp, value: string, replacement: string): string[] {
  const anywhere = whole.source.slice(1, -1);
  return ["u", "gu"].map((how) => {
    let end = 0;
    return value.replace(new RegExp(anywhere, how), (match: string, at: number) => {
      const counts = match !== "" || at === 0 || at !== end;
      end = at + match.length;
      return counts ? replacement : "";
    });
  });
}
