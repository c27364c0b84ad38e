// SOURCE_DATE_EPOCH, seconds or the name of something that has a time: https://reproducible-builds.org/specs/source-date-epoch/

import type { ContextSource, Files } from "../context/context.ts";
import { type Dockerfile, DockerfileError, expandWord, LineError, locateErrors, type Part, type Stage } from "../dockerfile/dockerfile.ts";
import { evaluateCopy } from "./evaluate-copy.ts";
import { hintOf } from "./failure.ts";
import { evaluateGlobals, type GlobalsRequest } from "./globals.ts";
import { readNamedContexts } from "./named-context.ts";
import type { NamedFiles } from "./sources.ts";

export const epochName = "SOURCE_DATE_EPOCH";
/** Of the year 9999, the last that RFC 3339 can write. */
const lastSecond = 253_402_300_799;

/** What a time is taken from: the build context, one of --build-context, or what a stage's only instruction adds. */
export type EpochSource =
  | { readonly kind: "context" }
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "elsewhere"; readonly source: ContextSource }
  /** An image; its time does not count. */
  | { readonly kind: "image" };

export interface EpochRequest extends GlobalsRequest {
  readonly buildContexts: ReadonlyMap<string, string>;
}

/** The seconds that a text gives; undefined for none. Throws a LineError. */
export function readEpoch(text: string): number | undefined {
  if (text === "") return undefined;
  if (/^\d{1,15}$/.test(text) && Number(text) <= lastSecond) return Number(text);
  throw new LineError(
    `invalid ${epochName}: ${text}`,
    "it must be seconds since 1970, context, a named context, or a stage that is FROM scratch with one remote ADD",
    { of: "argument", text: `${epochName}=${text}`, inner: text, at: epochName.length + 1 },
  );
}

/** What SOURCE_DATE_EPOCH names, after BuildKit's epoch.go; undefined where it is a number, or nothing. Throws a DockerfileError. */
export function findEpochSource(dockerfile: Dockerfile, request: EpochRequest): EpochSource | undefined {
  const globals = evaluateGlobals(dockerfile, request);
  const text = globals.get(epochName) ?? request.buildArgs.get(epochName) ?? "";
  if (text === "" || /^\d+$/.test(text)) return undefined;
  if (text === "context") return { kind: "context" };
  const named = readNamedContexts(request.buildContexts).find(text, request.platform);
  if (named !== undefined) return named.context.kind === "files" ? { kind: "named", name: named.name } : { kind: "image" };
  const stage = dockerfile.stages.find(({ name }) => name === text.toLowerCase());
  if (stage === undefined) return locateEpoch(dockerfile, () => void readEpoch(text));
  globals.delete(epochName);
  return { kind: "elsewhere", source: readSourceStage(dockerfile, stage, globals, request.buildArgs) };
}

/** The time of it, in seconds since 1970. Throws a DockerfileError where it is not to be had. */
export async function resolveEpoch(
  source: EpochSource,
  dockerfile: Dockerfile,
  { context, named }: { readonly context: Pick<Files, "time">; readonly named: NamedFiles },
): Promise<number | undefined> {
  if (source.kind === "image") return undefined;
  if (source.kind === "context") return context.time;
  try {
    return (await (source.kind === "named" ? named.open(source.name) : named.openSource(source.source))).time;
  } catch (error) {
    if (!(error instanceof Error) || error.name === "AbortError") throw error;
    throw new DockerfileError(error.message, { file: dockerfile.file, range: findRange(dockerfile), hint: hintOf(error), cause: error });
  }
}

/** Says of errors where SOURCE_DATE_EPOCH is set. */
export function locateEpoch<T>(dockerfile: Dockerfile, read: () => T): T {
  return locateErrors(dockerfile, findRange(dockerfile), read);
}

/** Where it is declared, or else where the build begins. */
function findRange({ globalArgs, stages }: Dockerfile): Stage["range"] {
  const start = { line: 1, column: 1 };
  const declared = globalArgs.find(({ args }) => args.some(({ name }) => name === epochName))?.range;
  return declared ?? stages[0]?.from.range ?? { start, end: start };
}

/** A stage that does nothing but add one thing from elsewhere, to an image from scratch. */
function readSourceStage(
  dockerfile: Dockerfile,
  stage: Stage,
  globals: ReadonlyMap<string, string>,
  buildArgs: ReadonlyMap<string, string>,
): ContextSource {
  const env = new Map(globals);
  const variables = { get: (name: string) => env.get(name), escape: dockerfile.escape };
  const fail: (range: Stage["range"], why: string, part?: Part) => never = (range, why, part) =>
    locateErrors(dockerfile, range, () => {
      throw new LineError(`${epochName} stage ${why}`, undefined, part);
    });
  if (locateErrors(dockerfile, stage.from.range, () => expandWord(stage.from.image, variables)) !== "scratch")
    fail(stage.from.range, "must use FROM scratch", { of: "argument", index: 0 });
  let found: ContextSource | undefined;
  for (const instruction of stage.instructions) {
    const { range } = instruction;
    if (instruction.kind === "arg") {
      for (const { name, value } of instruction.args) {
        const set = buildArgs.get(name) ?? (value && locateErrors(dockerfile, range, () => expandWord(value, variables)));
        if (set !== undefined) env.set(name, set);
      }
      continue;
    }
    if (instruction.kind !== "add")
      fail(range, `does not meet source-only requirements: unsupported ${instruction.kind} instruction`, { of: "word" });
    if (found !== undefined) fail(range, "must contain exactly one remote ADD");
    const surroundings = {
      variables,
      workdir: "/",
      source: { line: 0, endLine: 0, text: "" },
      from: { kind: "context" },
      hasNoLayer: false,
    } as const;
    const { sources } = locateErrors(dockerfile, range, () => evaluateCopy(instruction, surroundings));
    const [operand, ...others] = sources;
    if (operand === undefined || others.length > 0) fail(range, "must contain exactly one remote ADD source", { of: "source", index: 1 });
    if (operand.kind === "git") found = { kind: "git", source: operand.source };
    else if (operand.kind === "url") found = { kind: "web", url: operand.url, checksum: operand.checksum };
    else fail(range, "source must be a single HTTP(S) or Git ADD", { of: "source", index: 0 });
  }
  if (found === undefined) fail(stage.from.range, "must contain exactly one remote ADD");
  return found;
}
