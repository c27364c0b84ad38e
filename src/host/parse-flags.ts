// Reads a command line by the flag table, as cobra and pflag do.

import { type Flag, flags, takesMany } from "./flags.ts";
import { findNearest, UsageError } from "./usage.ts";
import { parseBoolean, parseDuration, parseInteger } from "./value.ts";

/** What was given, in order; values are valid for their flag's type. */
export interface ParsedFlags {
  readonly given: readonly GivenFlag[];
  /** `--help` or `-h` is among them. */
  readonly help: boolean;
  /** Not empty only when the caller has a use for them. */
  readonly positional: readonly string[];
}

export interface GivenFlag {
  readonly flag: Flag;
  /** As it was written: `--tarPath`, `-d`. */
  readonly spelling: string;
  readonly value: string;
}

interface Table {
  readonly byName: ReadonlyMap<string, Flag>;
  readonly byShort: ReadonlyMap<string, Flag>;
}

/** `--x=v`, `--x v`, `--x` for booleans alone, `-xv`, `-x=v`, `-x v`; after `--` nothing is a flag. Throws a UsageError. */
export function parseFlags(args: readonly string[], known: readonly Flag[] = flags): ParsedFlags {
  const table: Table = {
    byName: new Map(known.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])].map((name) => [name, flag] as const))),
    byShort: new Map(known.flatMap((flag) => (flag.short === undefined ? [] : [[flag.short, flag] as const]))),
  };
  const given: GivenFlag[] = [];
  const positional: string[] = [];
  let help = false;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      positional.push(...rest);
      break;
    }
    if (arg === "--help" || arg === "-h") help = true;
    else if (arg.startsWith("--")) given.push(readLong(arg, rest, table));
    else if (arg.startsWith("-") && arg.length > 1) given.push(readShort(arg, rest, table));
    else positional.push(arg);
  }
  return { given, help, positional };
}

/** Refuses positional arguments, saying what was probably meant. */
export function refusePositional({ given, positional }: ParsedFlags): void {
  const [first] = positional;
  if (first === undefined) return;
  const last = given.at(-1);
  const isValue = last?.flag.type === "boolean" && parseBoolean(first) !== undefined;
  throw new UsageError(
    `unexpected argument ${JSON.stringify(first)}${isValue ? `; write ${last.spelling}=${first}` : ": every input is given by a flag"}`,
  );
}

function readLong(arg: string, rest: string[], { byName }: Table): GivenFlag {
  const [, name = "", equals, inline = ""] = /^--([^=]*)(=)?(.*)$/s.exec(arg) ?? [];
  if (name === "") throw new UsageError(`bad flag syntax: ${arg}`);
  const flag = byName.get(name);
  const spelling = `--${name}`;
  if (flag === undefined) {
    const nearest = findNearest(name, [...byName.keys(), "help"]);
    throw new UsageError(`unknown flag: ${spelling}${nearest === undefined ? "; see slipway --help" : `; did you mean --${nearest}?`}`);
  }
  if (equals !== undefined) return checkValue(flag, spelling, inline);
  if (flag.type === "boolean") return { flag, spelling, value: "true" };
  return takeNext(flag, spelling, rest);
}

// Of flags with a short name all but warm's -f take a value, so a group of short flags ends with the first.
function readShort(arg: string, rest: string[], { byName, byShort }: Table): GivenFlag {
  const short = arg.charAt(1);
  const flag = byShort.get(short);
  if (flag === undefined) {
    const nearest = byName.has(arg.slice(1).split("=")[0] ?? "") ? `; did you mean -${arg}?` : "; see slipway --help";
    throw new UsageError(`unknown shorthand flag: ${JSON.stringify(short)} in ${arg}${nearest}`);
  }
  const spelling = `-${short}`;
  if (flag.type === "boolean" && arg.length === 2) return { flag, spelling, value: "true" };
  if (arg.length > 2) return checkValue(flag, spelling, arg.charAt(2) === "=" && arg.length > 3 ? arg.slice(3) : arg.slice(2));
  return takeNext(flag, spelling, rest);
}

function takeNext(flag: Flag, spelling: string, rest: string[]): GivenFlag {
  const value = rest.shift();
  if (value === undefined) throw new UsageError(`flag needs an argument: ${spelling} ${flag.value ?? "VALUE"}`);
  return checkValue(flag, spelling, value);
}

function checkValue(flag: Flag, spelling: string, value: string): GivenFlag {
  const allowed = describeAllowed(flag, value);
  if (allowed !== undefined) throw new UsageError(`invalid argument ${JSON.stringify(value)} for ${spelling}: must be ${allowed}`);
  return { flag, spelling, value };
}

/** What the value should have been; undefined when it is fine. */
function describeAllowed(flag: Flag, value: string): string | undefined {
  if (flag.type === "boolean" && parseBoolean(value) === undefined) return "true or false";
  if (flag.type === "integer" && parseInteger(value) === undefined) return "a whole number";
  if (flag.type === "duration" && parseDuration(value) === undefined) return "a number with a unit, for example 6h or 30m";
  if (flag.choices !== undefined && value !== "" && !flag.choices.includes(value)) return `one of ${flag.choices.join(", ")}`;
  return undefined;
}

/** Is the value the one that the flag has where it is not given? */
function isDefault({ flag, value }: GivenFlag): boolean {
  if (flag.type === "boolean") return parseBoolean(value) === (flag.default === "true");
  if (flag.type === "integer") return parseInteger(value) === parseInteger(flag.default ?? "");
  if (flag.type === "duration") return parseDuration(value) === parseDuration(flag.default ?? "");
  return value === "" || (!takesMany(flag) && value === flag.default);
}

/** The flags that count: of one that takes a single value, the last. */
function lastGiven(given: readonly GivenFlag[]): GivenFlag[] {
  const last = new Map(given.map((one) => [one.flag, one]));
  return given.filter((one) => takesMany(one.flag) || last.get(one.flag) === one);
}

/** Refuses what cannot work here or does not yet; gives a notice for each flag without effect and each deprecated spelling. */
export function checkSupport(given: readonly GivenFlag[]): string[] {
  const telling = lastGiven(given).filter((one) => !isDefault(one));
  const refused = telling.find(({ flag }) => flag.status === "refused");
  if (refused !== undefined) throw new UsageError(`flag ${refused.spelling} is refused: ${refused.flag.reason ?? ""}`);
  const missing = telling.find(({ flag }) => flag.status === "not yet");
  if (missing !== undefined) throw new UsageError(`flag ${missing.spelling} is not yet supported`);
  const old = given.filter(({ flag, spelling }) => flag.aliases?.includes(spelling.slice(2)));
  return [
    ...new Set([
      ...old.map(({ flag, spelling }) => `${spelling} is deprecated: write --${flag.name}`),
      ...telling
        .filter(({ flag }) => flag.status === "accepted")
        .map(({ flag, spelling }) => `${spelling} has no effect: ${flag.reason ?? ""}`),
    ]),
  ];
}
