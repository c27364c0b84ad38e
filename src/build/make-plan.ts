// From a Dockerfile and what is known of its base images to a plan. Pure: what it lacks it names.

import {
  type Dockerfile,
  DockerfileError,
  expandWord,
  findBaseStage,
  findStage,
  flagValue,
  type Instruction,
  LineError,
  type Located,
  locateErrors,
  type Part,
  parseOnbuild,
  type Range,
  type Stage,
  suggest,
  within,
} from "../dockerfile/dockerfile.ts";
import type { ImageConfig } from "../image/image.ts";
import type { ImageName } from "../image/layout.ts";
import { formatPlatform, hostPlatform, type Platform, parsePlatform } from "../image/platform.ts";
import { parseReference, type Reference, withDefaultTag } from "../image/reference.ts";
import { baseKey } from "./bases.ts";
import { directiveWarnings } from "./directives.ts";
import { canRun } from "./emulation.ts";
import { epochName, locateEpoch, readEpoch } from "./epoch.ts";
import { Evaluation, splitEnv } from "./evaluate.ts";
import type { RunPolicy } from "./evaluate-run.ts";
import { evaluateGlobals } from "./globals.ts";
import { fillStep, type NamedContext, type NamedContexts, readNamedContexts } from "./named-context.ts";
import { originPart } from "./origin-part.ts";
import { type Base, type CopyStep, type Origin, type Plan, renumberStep, type Source, type StagePlan } from "./plan.ts";
import { Scope } from "./scope.ts";
import { isUncached, type Uncached, unknownStageWarnings } from "./uncached.ts";

export interface PlanRequest extends RunPolicy {
  readonly target: string | undefined;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly buildContexts: ReadonlyMap<string, string>;
  readonly platform: Platform;
  readonly uncached: Uncached;
  /** Architectures that an emulator serves. */
  readonly emulators: readonly string[];
  /** What the name in SOURCE_DATE_EPOCH has turned out to stand for; absent where it holds none. */
  readonly epoch?: { readonly seconds: number | undefined };
}

/** An image that must be known before the plan can be made. */
export interface Wanted {
  readonly reference: ImageName;
  readonly platform: Platform;
  /** The instruction that names it. */
  readonly source: Source;
  /** What of the instruction names it. */
  readonly part: Part;
  /** What to try where there is no such image. */
  readonly hint: string | undefined;
}

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The plan, or the images whose configurations are needed first; `bases` is keyed by `baseKey`. Only what the target needs is looked
 * at, and of other stages their FROM. Throws a DockerfileError.
 */
export function makePlan(
  dockerfile: Dockerfile,
  bases: ReadonlyMap<string, Base>,
  request: PlanRequest,
): { readonly plan: Plan } | { readonly wanted: readonly Wanted[] } {
  const planner = new Planner(dockerfile, bases, request);
  const target = planner.target();
  planner.visit(target, []);
  planner.checkOthers();
  if (planner.wanted.length > 0) return { wanted: planner.wanted };
  return { plan: planner.plan(target) };
}

type StageInstruction = Stage["instructions"][number];

/** An instruction and where it stands; triggers stand at the FROM that runs them. */
interface Placed {
  readonly instruction: StageInstruction;
  readonly range: Range;
  /** Its text stands somewhere else. */
  readonly isTrigger: boolean;
}

interface Visited {
  readonly stage: Stage;
  readonly platform: Platform;
  readonly evaluation: Evaluation;
  readonly scope: Scope;
  readonly base: Origin;
  readonly inheritedHistory: number;
}

/** What a stage begins with. */
interface Opened {
  readonly base: Origin;
  readonly config: ImageConfig;
  readonly scope: Scope;
  /** Files that are no image come as a first step. */
  readonly fill?: CopyStep;
}

type Found = NonNullable<ReturnType<NamedContexts["find"]>>;

class Planner {
  readonly wanted: Wanted[] = [];
  readonly #dockerfile: Dockerfile;
  readonly #bases: ReadonlyMap<string, Base>;
  readonly #request: PlanRequest;
  readonly #globals: ReadonlyMap<string, string>;
  readonly #contexts: NamedContexts;
  /** By index in the Dockerfile; undefined while something of the stage is wanted. */
  readonly #visited = new Map<number, Visited | undefined>();

  constructor(dockerfile: Dockerfile, bases: ReadonlyMap<string, Base>, request: PlanRequest) {
    this.#dockerfile = dockerfile;
    this.#bases = bases;
    this.#request = { ...request, buildArgs: settleEpoch(request.buildArgs, request.epoch) };
    this.#contexts = readNamedContexts(request.buildContexts);
    this.#globals = settleEpoch(evaluateGlobals(dockerfile, request), request.epoch);
  }

  target(): Stage {
    const { stages } = this.#dockerfile;
    const name = this.#request.target;
    const found = name === undefined || name === "" ? stages.at(-1) : stages.findLast((stage) => stage.name === name.toLowerCase());
    if (found !== undefined) return found;
    const hint = suggest(
      name ?? "",
      stages.flatMap((stage) => stage.name ?? []),
    );
    throw new DockerfileError(`target stage "${name}" could not be found: ${name} is not a valid target build stage`, {
      file: this.#dockerfile.file,
      range: stages[0]?.range ?? { start: { line: 1, column: 1 }, end: { line: 1, column: 1 } },
      hint,
    });
  }

  /** Evaluates a stage and, first, those it needs. Gives undefined while an image must be known before. */
  visit(stage: Stage, above: readonly Stage[]): Visited | undefined {
    if (above.includes(stage)) this.#fail(stage.from.range, `circular dependency detected on stage: ${stageName(stage)}`, fromImage);
    if (!this.#visited.has(stage.index)) this.#visited.set(stage.index, this.#evaluate(stage, [...above, stage]));
    return this.#visited.get(stage.index);
  }

  /** Of the stages that nothing is needed of, names that cannot be are errors all the same, as in BuildKit. */
  checkOthers(): void {
    const { stages } = this.#dockerfile;
    for (const stage of stages.filter(({ index }) => !this.#visited.has(index))) {
      const { image, platform } = this.#readFrom(stage);
      const isKnown = image === "scratch" || [stage.name, image].some((name) => name !== undefined && this.#contexts.find(name, platform));
      if (!isKnown && findBaseStage(stages, stage.index, image) === undefined) this.#readImage(stage, image);
    }
  }

  plan(target: Stage): Plan {
    const visited = [...this.#visited.values()].filter((entry) => entry !== undefined).sort((a, b) => a.stage.index - b.stage.index);
    const places = new Map(visited.map(({ stage }, place) => [stage.index, place]));
    const renumber = (origin: Origin): Origin =>
      origin.kind === "stage" ? { kind: "stage", stage: places.get(origin.stage) ?? origin.stage } : origin;
    const stages = visited.map((entry): StagePlan => {
      if (entry.stage === target) entry.evaluation.addLabels(this.#request.labels);
      return {
        index: entry.stage.index,
        name: stageName(entry.stage),
        base: renumber(entry.base),
        baseText: entry.stage.from.image,
        line: entry.stage.from.range.start.line,
        platform: entry.platform,
        isUncached: isUncached(entry.stage, this.#request.uncached),
        steps: entry.evaluation.steps.map((step) => renumberStep(step, renumber)),
        config: { ...entry.evaluation.image(), ...platformFields(entry.platform) },
        inheritedHistory: entry.inheritedHistory,
      };
    });
    return {
      stages,
      targets: [places.get(target.index) ?? 0],
      besides: [],
      epoch: this.#epoch(),
      warnings: [...directiveWarnings(this.#dockerfile), ...unknownStageWarnings(this.#dockerfile.stages, this.#request.uncached)],
    };
  }

  /** A build argument, or the default of a global ARG. */
  #epoch(): number | undefined {
    const { epoch, buildArgs } = this.#request;
    if (epoch !== undefined) return epoch.seconds;
    return locateEpoch(this.#dockerfile, () => readEpoch(this.#globals.get(epochName) ?? buildArgs.get(epochName) ?? ""));
  }

  #evaluate(stage: Stage, above: readonly Stage[]): Visited | undefined {
    const { from } = stage;
    const { image, platform } = this.#readFrom(stage);
    const replacement = stage.name === undefined ? undefined : this.#contexts.find(stage.name, platform);
    if (replacement !== undefined) return this.#replace(stage, platform, replacement);
    const opened = this.#openBase(stage, image, platform, above);
    if (opened === undefined) return undefined;
    const { base, config, scope, fill } = opened;
    const triggers = config.config?.OnBuild ?? [];
    const { OnBuild: _, ...inherited } = config.config ?? {};
    const env = splitEnv(inherited.Env).some(([name]) => name === "PATH") ? (inherited.Env ?? []) : [...(inherited.Env ?? []), defaultPath];
    for (const [name, value] of splitEnv(env)) if (scope.get(name) === undefined) scope.set(name, value);
    const evaluation = new Evaluation({ ...config, config: { ...inherited, Env: env } }, scope, this.#dockerfile.escape, this.#request);
    if (fill !== undefined) evaluation.fill(fill);
    const placed: Placed[] = [
      ...triggers.map((text) => ({
        instruction: parseOnbuild(text, this.#dockerfile.file, from.range),
        range: from.range,
        isTrigger: true,
      })),
      ...stage.instructions.map((instruction) => ({ instruction, range: instruction.range, isTrigger: false })),
    ];
    const inheritedHistory = config.history?.length ?? 0;
    // All sources first, so that everything still wanted is known at once.
    const origins = placed.map((one) => namesOf(one.instruction).map((from) => this.#sourceOf(from, one, stage, above)));
    if (origins.flat().includes(undefined)) return undefined;
    for (const [i, one] of placed.entries()) {
      const known = origins[i]?.filter((origin) => origin !== undefined) ?? [];
      this.#of(one, () => evaluation.apply(one.instruction, sourceAt(one), known));
    }
    const run = evaluation.steps.find((step) => step.kind === "run");
    if (run !== undefined && !canRun(platform, this.#request.emulators)) this.#refuseForeign(run.source, stage, platform);
    return { stage, platform, evaluation, scope, base, inheritedHistory };
  }

  #readFrom({ from }: Stage): { readonly image: string; readonly platform: Platform } {
    const variables = { get: (name: string) => this.#globals.get(name), escape: this.#dockerfile.escape };
    const image = this.#at(from.range, () => within(fromImage, () => expandWord(from.image, variables)));
    if (image === "") this.#fail(from.range, `base name (${from.image}) should not be blank`, fromImage);
    const platform = this.#at(from.range, () => {
      const read = () => this.#platformOf(from.platform === undefined ? "" : expandWord(from.platform, variables));
      return within(flagValue("--platform", from.platform), read);
    });
    return { image, platform };
  }

  #readImage(stage: Stage, image: string): Reference {
    return this.#at(stage.from.range, () => within(fromImage, () => readReference(image)));
  }

  #refuseForeign(source: Source, stage: Stage, platform: Platform): never {
    const wanted = formatPlatform(platform);
    const reason = `Cannot run the RUN of line ${source.line}: stage "${stageName(stage)}" is for ${wanted}, and this machine is ${formatPlatform(hostPlatform())}, without an emulator`;
    const { file } = this.#dockerfile;
    const hint = `register an emulator for ${wanted} with binfmt_misc and its flag F, or build the stage with FROM --platform=$BUILDPLATFORM`;
    throw new DockerfileError(reason, { file, range: stage.from.range, hint });
  }

  /** A named context stands for a stage as a whole: none of its instructions counts. */
  #replace(stage: Stage, platform: Platform, { name, context }: Found): Visited | undefined {
    const opened = this.#openNamed(stage, name, context, platform);
    if (opened === undefined) return undefined;
    const { base, config, scope, fill } = opened;
    const evaluation = new Evaluation(config, scope, this.#dockerfile.escape, this.#request);
    if (fill !== undefined) evaluation.fill(fill);
    return { stage, platform, evaluation, scope, base, inheritedHistory: config.history?.length ?? 0 };
  }

  /** An earlier stage, a named context, or an image. */
  #openBase(stage: Stage, image: string, platform: Platform, above: readonly Stage[]): Opened | undefined {
    const parent = findBaseStage(this.#dockerfile.stages, stage.index, image);
    if (parent !== undefined) {
      const visited = this.visit(parent, above);
      if (visited === undefined) return undefined;
      const scope = new Scope(this.#globals, this.#request.buildArgs, visited.scope.inherited());
      return { base: { kind: "stage", stage: parent.index }, config: visited.evaluation.image(), scope };
    }
    const named = this.#contexts.find(image, platform);
    if (named !== undefined) return this.#openNamed(stage, named.name, named.context, platform);
    if (image === "scratch") return this.#openNamed(stage, image, { kind: "scratch" }, platform);
    return this.#openNamed(stage, image, { kind: "image", reference: this.#readImage(stage, image) }, platform);
  }

  #openNamed(stage: Stage, name: string, context: NamedContext, platform: Platform): Opened | undefined {
    const scope = new Scope(this.#globals, this.#request.buildArgs, { env: [], declared: [] });
    const source = sourceAt({ instruction: stage.from, range: stage.from.range, isTrigger: false });
    if (context.kind === "image") {
      const base = this.#findImage({ reference: context.reference, platform, source, part: fromImage, hint: this.#nearStage(name) });
      if (base === undefined) return undefined;
      const { created: _, ...config } = base.config;
      return { base: { kind: "image", reference: base.reference, digest: base.digest, platform }, config, scope };
    }
    const empty = { base: { kind: "scratch" }, config: emptyImage(platform), scope } as const;
    return context.kind === "scratch" ? empty : { ...empty, fill: fillStep(name, context.source, source) };
  }

  /** Where a COPY or a mount takes its files from; undefined while that must be known first. */
  #sourceOf(from: string | undefined, placed: Placed, stage: Stage, above: readonly Stage[]): Origin | undefined {
    if (!from) return { kind: "context" };
    const { instruction } = placed;
    const part = originPart(instruction.kind, from);
    const fail = (reason: string) => {
      throw new LineError(reason);
    };
    if (from === "scratch") return { kind: "scratch" };
    const [verb, takesNumbers] = instruction.kind === "run" ? ["mount", false] : ["copy", true];
    const isStage = takesNumbers || !/^\d+$/.test(from);
    const read = <T>(action: () => T) => this.#of(placed, () => within(part, action));
    const found = isStage ? read(() => rangeErrorsAsLineErrors(() => findStage(this.#dockerfile.stages, from))) : undefined;
    if (found === undefined) {
      const named = this.#contexts.find(from, this.#request.platform);
      if (named?.context.kind === "files") return { kind: "context", name: named.name };
      if (named?.context.kind === "scratch") return { kind: "scratch" };
      const reference = named?.context.reference ?? read(() => readReference(from));
      const { platform } = this.#request;
      const base = this.#findImage({ reference, platform, source: sourceAt(placed), part, hint: this.#nearStage(from) });
      return base && { kind: "image", reference: base.reference, digest: base.digest, platform };
    }
    if (found === stage) read(() => fail(`circular dependency detected on stage: ${stageName(stage)}`));
    if (found.index > stage.index)
      read(() => fail(`cannot ${verb} from stage "${from}", it needs to be defined before current stage "${stageName(stage)}"`));
    return this.visit(found, above) && { kind: "stage", stage: found.index };
  }

  #findImage(wanted: Wanted): Base | undefined {
    const base = this.#bases.get(baseKey(wanted.reference, wanted.platform));
    if (base === undefined) this.wanted.push(wanted);
    return base;
  }

  /** A name that is no stage is an image; perhaps it should have been a stage. */
  #nearStage(name: string): string | undefined {
    const near = suggest(
      name.toLowerCase(),
      this.#dockerfile.stages.flatMap((stage) => stage.name ?? []),
    );
    return near && `there is no stage "${name}" before this line; ${near}`;
  }

  #platformOf(text: string): Platform {
    if (text === "") return this.#request.platform;
    try {
      return parsePlatform(text);
    } catch (error) {
      throw new LineError(error instanceof Error ? error.message : String(error));
    }
  }

  #at<T>(range: Range, action: () => T): T {
    return locateErrors(this.#dockerfile, range, action);
  }

  /** What is wrong with a trigger is shown where it is triggered. */
  #of<T>({ range, isTrigger }: Placed, action: () => T): T {
    const located: Located = isTrigger ? { file: this.#dockerfile.file } : this.#dockerfile;
    return locateErrors(located, range, action);
  }

  #fail(range: Range, reason: string, part: Part): never {
    return this.#at(range, () => {
      throw new LineError(reason, undefined, part);
    });
  }
}

const fromImage: Part = { of: "argument", index: 0 };

/** Instructions see the time, and not the name that it was taken from. */
function settleEpoch(variables: ReadonlyMap<string, string>, epoch: PlanRequest["epoch"]): ReadonlyMap<string, string> {
  if (epoch === undefined || !variables.has(epochName)) return variables;
  return new Map(variables).set(epochName, String(epoch.seconds ?? ""));
}

function readReference(text: string): Reference {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LineError(`failed to parse stage name "${text}": invalid reference format: ${reason}`);
  }
}

function rangeErrorsAsLineErrors<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof RangeError ? new LineError(error.message) : error;
  }
}

/** What an instruction says of where files come from: for each mount of RUN, and once for all else. */
function namesOf(instruction: StageInstruction): readonly (string | undefined)[] {
  if (instruction.kind === "run") return instruction.mounts.map(({ from }) => from);
  return [instruction.kind === "copy" ? instruction.from : undefined];
}

function sourceAt({ instruction, range, isTrigger }: Omit<Placed, "instruction"> & { readonly instruction: Instruction }): Source {
  const text = instruction.text.replace(/\s+/g, " ");
  return { line: range.start.line, endLine: range.end.line, text, ...(isTrigger ? { isTrigger } : {}) };
}

function stageName(stage: Stage): string {
  return stage.name ?? `stage-${stage.index}`;
}

function emptyImage(platform: Platform): ImageConfig {
  return { ...platformFields(platform), config: { Env: [defaultPath], WorkingDir: "/" }, rootfs: { type: "layers", diff_ids: [] } };
}

function platformFields(platform: Platform): Pick<ImageConfig, "architecture" | "os" | "variant"> {
  const { os, architecture, variant } = platform;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}
