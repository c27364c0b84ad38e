// Why a step is built although something like it was built before: which of its inputs is another.

import { formatPlatform } from "../image/platform.ts";
import type { Plan, StagePlan, Step } from "./plan.ts";
import { TextHash } from "./text-hash.ts";

/** What a step's key was made from, by names that people know. */
export interface Inputs {
  /** The instruction. */
  readonly text: string;
  /** Variables, and whatever else counts, with their values. */
  readonly values: Readonly<Record<string, string>>;
  /** Files with what stands for their content and attributes; of very many, their directories. */
  readonly files: Readonly<Record<string, string>>;
}

/** What of a build is remembered: by stage and platform, what it is built FROM and its steps. */
export type Remembered = Readonly<Record<string, { readonly base: string; readonly steps: readonly Inputs[] }>>;

/** As long as values are kept and shown. */
const maxValue = 120;
/** Of one step; more become directories. */
const maxFiles = 1000;
const shownFiles = 3;

export function inputsOf(step: Step, files: FileNotes): Inputs {
  return { text: step.source.text, values: mapValues(valuesOf(step), shorten), files: files.all() };
}

function valuesOf(step: Step): Record<string, string> {
  switch (step.kind) {
    case "run": {
      const env = step.env.map((pair): [string, string] => {
        const equals = pair.indexOf("=");
        return [pair.slice(0, equals), pair.slice(equals + 1)];
      });
      const { cwd, user, network, mounts } = step;
      const shown = mounts.map((mount) => JSON.stringify({ ...mount, from: undefined, text: undefined }));
      return { ...Object.fromEntries(env), "the command": step.args.join(" "), WORKDIR: cwd, USER: user, network, mounts: shown.join(" ") };
    }
    case "copy":
      return { "the instruction": step.createdBy };
    case "workdir":
      return { WORKDIR: step.path, USER: step.user };
  }
}

function mapValues(values: Record<string, string>, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

function shorten(value: string): string {
  return value.length <= maxValue ? value : `${value.slice(0, maxValue)}… (${value.length} characters)`;
}

/** What a later build is to compare itself with. */
export function remember(plan: Plan, inputs: readonly (readonly Inputs[])[]): Remembered {
  return Object.fromEntries(
    plan.stages.map((stage, number) => [nameOf(stage), { base: describeBase(stage), steps: inputs[number] ?? [] }]),
  );
}

function nameOf({ name, platform }: StagePlan): string {
  return `${name} ${formatPlatform(platform)}`;
}

/** What a stage is built FROM; an image with some of its digest. */
export function describeBase({ base, baseText }: StagePlan): string {
  return base.kind === "image" ? `${baseText}@${base.digest.slice(0, 19)}` : baseText;
}

/** Gathers what stands for each file that a step takes; of very many, for the directories that they are in. */
export class FileNotes {
  readonly #files = new Map<string, string>();
  #directories: Map<string, TextHash> | undefined;

  note(path: string, mark: string): void {
    if (this.#directories !== undefined) {
      this.#add(this.#directories, path, mark);
      return;
    }
    this.#files.set(path, mark);
    if (this.#files.size <= maxFiles) return;
    this.#directories = new Map();
    for (const [known, sign] of this.#files) this.#add(this.#directories, known, sign);
    this.#files.clear();
  }

  /** By path, or by the first two parts of it. */
  all(): Readonly<Record<string, string>> {
    if (this.#directories === undefined) return Object.fromEntries(this.#files);
    const sums = [...this.#directories].slice(0, maxFiles);
    return Object.fromEntries(sums.map(([path, hash]) => [path, hash.digest("base64url").slice(0, 12)]));
  }

  #add(directories: Map<string, TextHash>, path: string, mark: string): void {
    const directory = /^[^/]*\/[^/]*/.exec(path)?.[0] ?? path;
    const hash = directories.get(directory) ?? new TextHash("utf8");
    directories.set(directory, hash);
    hash.update(`${path}\0${mark}\n`);
  }
}

/**
 * Why step `i` of a stage is not in the cache, as the end of a sentence; `before` is what `remember` gave to an earlier build. `rebuilt` is
 * a stage that the step needs and that is built itself, and `follows` says that a step before it in its own stage is.
 */
export function explainMiss(
  now: { readonly stage: StagePlan; readonly steps: readonly Inputs[] },
  i: number,
  before: unknown,
  { rebuilt, follows }: { readonly rebuilt?: string | undefined; readonly follows: boolean },
): string {
  const earlier = readRemembered(before)?.[nameOf(now.stage)];
  const base = describeBase(now.stage);
  const step = now.steps[i];
  if (earlier === undefined || step === undefined) return "no earlier build of it is known";
  if (earlier.base !== base) return `the base was ${earlier.base}, and is ${base}`;
  const old = earlier.steps[i];
  if (old === undefined) return "it is new";
  const reasons = [...compareValues(old.values, step.values), ...compareFiles(old.files, step.files)];
  if (reasons.length > 0) return reasons.join(", ");
  if (rebuilt !== undefined) return `stage ${rebuilt} is built anew, and may yet come to the same`;
  if (old.text !== step.text) return `the instruction was ${old.text}`;
  if (follows) return "a step before it is built";
  return earlier.steps.slice(0, i).every((one, at) => JSON.stringify(one) === JSON.stringify(now.steps[at]))
    ? "nothing of it is another, but the cache does not have it (any more)"
    : "something before it is another";
}

function compareValues(before: Inputs["values"], now: Inputs["values"]): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const shown = (value: string | undefined) => (value === undefined ? "unset" : value === "" ? '""' : value);
  const changed = names.filter((name) => before[name] !== now[name]);
  // Whatever else is another follows from the variable.
  const first = changed.filter((name) => !name.startsWith("the ")).slice(0, shownFiles);
  return (first.length > 0 ? first : changed).map((name) => `${name} ${shown(before[name])} → ${shown(now[name])}`);
}

function compareFiles(before: Inputs["files"], now: Inputs["files"]): string[] {
  const changed = Object.keys(now).filter((path) => before[path] !== undefined && before[path] !== now[path]);
  const added = Object.keys(now).filter((path) => before[path] === undefined);
  const removed = Object.keys(before).filter((path) => now[path] === undefined);
  const all = [
    ...changed.map((path) => `${path} changed`),
    ...added.map((path) => `${path} is new`),
    ...removed.map((path) => `${path} is gone`),
  ];
  const rest = all.length - shownFiles;
  return [...all.slice(0, shownFiles), ...(rest > 0 ? [`and ${rest} more`] : [])];
}

function readRemembered(value: unknown): Remembered | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const stages = Object.values(value as Record<string, unknown>);
  return stages.every(isStage) ? (value as Remembered) : undefined;
}

function isStage(stage: unknown): boolean {
  if (typeof stage !== "object" || stage === null || !("base" in stage) || !("steps" in stage)) return false;
  return typeof stage.base === "string" && Array.isArray(stage.steps) && stage.steps.every(isInputs);
}

function isInputs(step: unknown): boolean {
  if (typeof step !== "object" || step === null || !("text" in step) || !("values" in step) || !("files" in step)) return false;
  const isText = (values: unknown) =>
    typeof values === "object" && values !== null && Object.values(values).every((one) => typeof one === "string");
  return typeof step.text === "string" && isText(step.values) && isText(step.files);
}
