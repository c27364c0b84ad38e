// Says for people why a build failed, and with which exit code for programs.

import type { BuildFailure, Phase, Place } from "../build/build.ts";
import type { Failure } from "../report/report.ts";

// kaniko's texts; users search their logs for them.
const prefixes: Readonly<Record<Phase, string>> = {
  "building image": "error building image",
  "pushing image": "error pushing image",
  "writing outputs": "error pushing image",
  "checking push permissions":
    "error checking push permissions -- make sure you entered the correct tag name, and that you are authenticated correctly, and try again",
};

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space, or choose a larger disk with --state-dir",
  EDQUOT: "the disk quota is used up: free some space, or choose another disk with --state-dir",
  EMFILE: "too many files are open: raise the limit with ulimit -n",
};

const mostCauses = 8;
const contextLines = 2;
const longestExcerpt = 20;

/** The failure as the report shows it, and the exit status: a failed RUN's own, else 1. `detailed` adds the stack. */
export function describeFailure(error: unknown, detailed: boolean): { readonly failure: Failure; readonly exitCode: number } {
  const stack = detailed && error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
  if (isBuildFailure(error)) {
    const hint = error.hint ?? findHint(error);
    return {
      exitCode: error.exitCode === 0 ? 1 : error.exitCode,
      failure: {
        headline: `${prefixes[error.phase]}: ${error.message}`,
        causes: listCauses(error),
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
      failure: { headline: `error building image: this is a bug in Slipway: ${message}`, causes: listCauses(error), hint, ...stack },
    };
  }
  const hint = findHint(error);
  return {
    exitCode: 1,
    failure: { headline: `error building image: ${message}`, causes: listCauses(error), ...(hint === undefined ? {} : { hint }), ...stack },
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

// A cause that its wrapper has already quoted says nothing new.
function listCauses(error: unknown): string[] {
  const told = [error instanceof Error ? error.message : ""];
  const causes: string[] = [];
  for (const { message } of causesOf(error)) {
    if (message === "" || told.some((text) => text.includes(message))) continue;
    told.push(message);
    causes.push(message);
  }
  return causes.slice(0, mostCauses);
}

function findHint(error: unknown): string | undefined {
  for (const one of [error, ...causesOf(error)]) {
    const code = one instanceof Error && "code" in one ? one.code : undefined;
    if (typeof code === "string" && hints[code] !== undefined) return hints[code];
  }
  return undefined;
}

/** As BuildKit shows it: some lines around, the guilty ones marked. */
function showPlace({ file, line, endLine, source }: Place): string {
  const lines = source.replace(/\r?\n$/, "").split(/\r?\n/);
  const first = Math.max(1, line - contextLines);
  const last = Math.min(lines.length, endLine + contextLines, first + longestExcerpt - 1);
  const numberWidth = String(last).length + 2;
  const shown = lines.slice(first - 1, last).map((text, i) => {
    const number = first + i;
    const mark = number >= line && number <= endLine ? ">>>" : "   ";
    return `${String(number).padStart(numberWidth)} | ${mark} ${text}`.trimEnd();
  });
  const rule = "-".repeat(20);
  return [`${file}:${line}`, rule, ...shown, rule].join("\n");
}
