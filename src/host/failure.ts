// Says for people why a build failed, and with which exit code for programs.

import { getSystemErrorMap } from "node:util";
import type { BuildFailure, Phase } from "../build/build.ts";
import type { Failure } from "../report/report.ts";
import { showPlace } from "./excerpt.ts";

// kaniko's texts; users search their logs for them.
const prefixes: Readonly<Record<Phase, string>> = {
  "building image": "error building image",
  "pushing image": "error pushing image",
  "writing outputs": "error pushing image",
  "pruning cache": "error pruning cache",
  "warming cache": "Failed warming cache",
  "checking push permissions":
    "error checking push permissions -- make sure you entered the correct tag name, and that you are authenticated correctly, and try again",
};

// By what the system calls it: Node's code, or the words that the helper gives.
const hints: readonly (readonly [code: string, words: RegExp, state: string, cure: string])[] = [
  ["ENOSPC", /no space left on device/i, "the disk is full", "free some space"],
  ["EDQUOT", /disk quota exceeded/i, "the disk quota is used up", "free some space"],
  ["EMFILE", /too many open files/i, "too many files are open", "raise the limit with ulimit -n"],
];

// How our own messages put what a system error says.
const sayings: Readonly<Record<string, RegExp>> = {
  ENOENT: /does not exist|there is no|no such file/i,
  ENOTDIR: /is no directory|is not a directory/,
  EEXIST: /is no directory/,
  EISDIR: /is a directory/,
  ECONNREFUSED: /the connection was refused/,
  ENOTFOUND: /the host name has no address/,
  ENXIO: /opened this pipe/,
};

const mostCauses = 8;

/** The failure as the report shows it, and the exit status: a failed RUN's own, else 1. `detailed` adds the stack. */
export function describeFailure(error: unknown, detailed: boolean): { readonly failure: Failure; readonly exitCode: number } {
  const stack = detailed && error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
  if (isBuildFailure(error)) {
    const hint = error.hint ?? findHint(error, error.phase);
    return {
      exitCode: error.exitCode === 0 ? 1 : error.exitCode,
      failure: {
        headline: `${prefixes[error.phase]}: ${error.message}`,
        causes: listCauses(error, detailed),
        ...(error.place === undefined ? {} : { excerpt: showPlace(error.place) }),
        ...(error.output.length === 0 ? {} : { output: error.output }),
        ...(hint === undefined ? {} : { hint }),
        ...stack,
      },
    };
  }
  const message = error instanceof Error ? error.message || error.name : String(error);
  if (isBug(error)) {
    const hint = detailed ? "please report it, with this log" : "please report it, with the log that --verbosity=debug gives";
    return {
      exitCode: 1,
      failure: {
        headline: `error building image: this is a bug in Slipway: ${message}`,
        causes: listCauses(error, detailed),
        hint,
        ...stack,
      },
    };
  }
  const hint = findHint(error, "building image");
  return {
    exitCode: 1,
    failure: {
      headline: `error building image: ${message}`,
      causes: listCauses(error, detailed),
      ...(hint === undefined ? {} : { hint }),
      ...stack,
    },
  };
}

// Not by instanceof: that would load the whole core before a flag is read.
function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && error.name === "BuildFailure";
}

// Errors of the system and of Node's own functions have a code; what the language throws by itself has none.
function isBug(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  return (
    /^(?:TypeError|ReferenceError|RangeError|EvalError|AssertionError)$/.test(error.name) &&
    !("code" in error && error.code !== "ERR_ASSERTION")
  );
}

function* causesOf(error: unknown): Generator<Error> {
  const seen = new Set<unknown>();
  const waiting = [error];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (!(next instanceof Error) || seen.has(next)) continue;
    seen.add(next);
    if (next !== error) yield next;
    waiting.push(next.cause, ...(next instanceof AggregateError ? next.errors : []));
    while (waiting.length > 0 && waiting[0] === undefined) waiting.shift();
  }
}

// A cause that its wrapper has already quoted, or put in its own words, says nothing new.
function listCauses(error: unknown, detailed: boolean): string[] {
  const told = [error instanceof Error ? error.message : ""];
  const causes: string[] = [];
  for (const cause of causesOf(error)) {
    const { message } = cause;
    if (message === "" || told.some((text) => text.includes(message) || (!detailed && isSaidBy(text, cause)))) continue;
    told.push(message);
    causes.push(message);
  }
  return causes.slice(0, mostCauses);
}

function isSaidBy(text: string, cause: Error): boolean {
  if (!("code" in cause) || typeof cause.code !== "string") return false;
  const errno = "errno" in cause && typeof cause.errno === "number" ? cause.errno : 0;
  const words = getSystemErrorMap().get(errno)?.[1];
  return (words !== undefined && text.toLowerCase().includes(words.toLowerCase())) || (sayings[cause.code]?.test(text) ?? false);
}

function findHint(error: unknown, phase: Phase): string | undefined {
  // A command that fails says why in its own words.
  const output = isBuildFailure(error) ? error.output.map((line) => new Error(line)) : [];
  for (const one of [error, ...causesOf(error), ...output]) {
    if (!(one instanceof Error)) continue;
    const found = hints.find(([code, words]) => ("code" in one && one.code === code) || words.test(one.message));
    if (found === undefined) continue;
    const [code, , state, cure] = found;
    const elsewhere =
      code === "EMFILE" ? "" : phase === "writing outputs" ? ", or write the file elsewhere" : ", or choose another disk with --state-dir";
    return `${state}: ${cure}${elsewhere}`;
  }
  return undefined;
}
