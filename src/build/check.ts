// The build checks with what only a build knows: base images, the ignore file, arguments.

import type { Context } from "../context/context.ts";
import {
  type BaseFacts,
  type CheckConfig,
  type CheckFacts,
  checkDockerfile,
  type Dockerfile,
  DockerfileError,
  type Finding,
  findBaseImages,
  findSilenced,
  formatViolation,
  LineError,
  parseDockerfile,
  readCheckConfig,
} from "../dockerfile/dockerfile.ts";
import { formatImageName, type ImageName } from "../image/layout.ts";
import { formatPlatform, type Platform, parsePlatform } from "../image/platform.ts";
import { parseReference, withDefaultTag } from "../image/reference.ts";
import { toRaw } from "../layer/entry.ts";
import type { Report } from "../report/report.ts";
import { type Bases, baseKey } from "./bases.ts";
import { findEpochSource } from "./epoch.ts";
import { splitEnv } from "./evaluate.ts";
import { BuildFailure, type Place } from "./failure.ts";
import { makePlan, type PlanRequest, type Wanted } from "./make-plan.ts";
import { type NamedContext, readNamedContexts } from "./named-context.ts";
import type { Base } from "./plan.ts";
import { platformArguments } from "./scope.ts";

type Known = ReadonlyMap<string, Base>;

/** What `slipway check` found. */
export interface Checked {
  /** The Dockerfile as the user would write its path, and its text. */
  readonly file: string;
  readonly source: string;
  readonly findings: readonly Finding[];
  /** As `findSilenced` gives it. */
  readonly silenced: ReadonlySet<string>;
  /** Why a build would not even start. */
  readonly error?: { readonly message: string; readonly place: Place };
}

/** Looks at the stages that are to be built. */
export function checkBeforeBuild(dockerfile: Dockerfile, known: Known, request: PlanRequest, context: Context): Checked {
  const target = findTarget(dockerfile, request.target) ?? dockerfile.stages.at(-1);
  return runChecks(dockerfile, known, request, context, target);
}

/** Reports what was found as warnings. Throws a BuildFailure where `error=true` counts it. */
export function reportChecked({ file, findings, error }: Checked, report: Report): void {
  for (const { rule, message, range } of findings)
    report.emit({ kind: "warning", text: `${rule}: ${message}`, file, line: range.start.line });
  if (error) throw new BuildFailure(error.message, { place: error.place });
}

/** What was found for several platforms, the same only once. */
export function joinChecked(checked: readonly Checked[]): Checked {
  const [first] = checked;
  if (first === undefined) throw new TypeError("a build has a platform");
  const findings = new Map(checked.flatMap((one) => one.findings).map((finding) => [JSON.stringify(finding), finding]));
  const error = checked.find((one) => one.error !== undefined)?.error;
  const sorted = [...findings.values()].sort((a, b) => a.range.start.line - b.range.start.line);
  return { ...first, findings: sorted, ...(error ? { error } : {}) };
}

function runChecks(dockerfile: Dockerfile, known: Known, request: PlanRequest, context: Context, target: CheckFacts["target"]): Checked {
  const config = readConfig(dockerfile, request.buildArgs);
  const findings = checkDockerfile(dockerfile, config, gatherFacts(dockerfile, known, request, context, target));
  const violation = formatViolation(config, findings);
  const { file } = dockerfile;
  const { text: source } = context.dockerfile;
  const error = violation && { message: violation.message, place: placeOf({ file, source }, violation.range) };
  return { file, source, findings, silenced: findSilenced(dockerfile, config), ...(error ? { error } : {}) };
}

/** Looks at all stages, or those of the target. Base images that cannot be had are left out with a notice. */
export async function checkOnly(file: string, request: PlanRequest, context: Context, bases: Bases, report: Report): Promise<Checked> {
  const { text } = context.dockerfile;
  const known = new Map<string, Base>();
  const asked = new Set<string>();
  const find = async ({ reference, platform }: Pick<Wanted, "reference" | "platform">) => {
    const key = baseKey(reference, platform);
    if (asked.has(key)) return;
    asked.add(key);
    try {
      known.set(key, await bases.base(reference, platform));
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AbortError") throw error;
      const without = "without it, InvalidBaseImagePlatform and part of UndefinedVar are left out";
      report.emit({ kind: "notice", text: `Base image ${formatImageName(reference)} cannot be looked at (${error.message}); ${without}` });
    }
  };
  let checked: Checked = { file, source: text, findings: [], silenced: new Set() };
  try {
    const dockerfile = parseDockerfile(text, file);
    await Promise.all([...findBases(dockerfile, request).values()].map(find));
    checked = runChecks(dockerfile, known, request, context, findTarget(dockerfile, request.target));
    // Nothing is fetched for a check: the time of what has one stays unknown.
    const settled = findEpochSource(dockerfile, request) === undefined ? request : { ...request, epoch: { seconds: undefined } };
    for (let tried = -1; tried < asked.size; ) {
      tried = asked.size;
      const made = makePlan(dockerfile, known, settled);
      if ("wanted" in made) await Promise.all(made.wanted.map(find));
    }
    return checked;
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const message = error.hint === undefined ? error.reason : `${error.reason} (${error.hint})`;
    return { ...checked, error: { message, place: { ...placeOf({ file, source: text }, error.instruction), exact: error.range } } };
  }
}

function readConfig(dockerfile: Dockerfile, buildArgs: PlanRequest["buildArgs"]): CheckConfig {
  try {
    return readCheckConfig(dockerfile, buildArgs);
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    throw new BuildFailure(`Cannot use the build argument BUILDKIT_DOCKERFILE_CHECK: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function placeOf({ file, source }: Pick<Place, "file" | "source">, range: DockerfileError["range"]): Place {
  return { file, source, line: range.start.line, endLine: range.end.line };
}

function findTarget({ stages }: Dockerfile, name: string | undefined) {
  return name === undefined ? undefined : stages.findLast((stage) => stage.name === name.toLowerCase());
}

function gatherFacts(
  dockerfile: Dockerfile,
  known: Known,
  request: PlanRequest,
  context: Context,
  target: CheckFacts["target"],
): CheckFacts {
  const bases = new Map<number, BaseFacts>();
  for (const [index, { reference, platform }] of findBases(dockerfile, request)) {
    const base = known.get(baseKey(reference, platform));
    if (base) bases.set(index, describeBase(base, platform));
  }
  const isIgnored = (source: string) => context.isIgnored(toRaw(source.replace(/^\/+/, "")));
  const images = new Map<string, BaseFacts>();
  const instructions = dockerfile.stages.flatMap((stage) => stage.instructions);
  for (const name of instructions.flatMap((one) => (one.kind === "copy" ? (one.from ?? []) : []))) {
    const reference = findReference(name, request.platform, request);
    const base = reference && known.get(baseKey(reference, request.platform));
    if (base) images.set(name, describeBase(base, request.platform));
  }
  return { ...given(dockerfile, request), target, bases, images, isIgnored: context.hasExceptions ? undefined : isIgnored };
}

function given(dockerfile: Dockerfile, { buildArgs, platform, target }: PlanRequest): Pick<CheckFacts, "buildArgs" | "predefined"> {
  const defaults = platformArguments(platform, target ?? dockerfile.stages.at(-1)?.name ?? "default");
  return { buildArgs, predefined: new Map([...defaults].map(([name, value]) => [name, buildArgs.get(name) ?? value])) };
}

/** By index of the stage. */
function findBases(dockerfile: Dockerfile, request: PlanRequest): Map<number, Pick<Wanted, "reference" | "platform">> {
  const found = new Map<number, Pick<Wanted, "reference" | "platform">>();
  for (const [index, { image, platform }] of findBaseImages(dockerfile, given(dockerfile, request))) {
    const wanted = platform === "" ? request.platform : orUndefined(() => parsePlatform(platform));
    const name = dockerfile.stages[index]?.name;
    if (wanted === undefined || (name !== undefined && findContext(name, wanted, request) !== undefined)) continue;
    const reference = findReference(image, wanted, request);
    if (reference) found.set(index, { reference, platform: wanted });
  }
  return found;
}

/** What a name stands for; undefined where it is no image's. */
function findReference(name: string, platform: Platform, request: PlanRequest): ImageName | undefined {
  const context = findContext(name, platform, request);
  if (context === undefined) return orUndefined(() => withDefaultTag(parseReference(name)));
  return context.kind === "image" ? context.reference : undefined;
}

function findContext(name: string, platform: Platform, { buildContexts }: PlanRequest): NamedContext | undefined {
  return orUndefined(() => readNamedContexts(buildContexts).find(name, platform)?.context);
}

/** What cannot be read fails the build, which tells of it. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function describeBase({ config, platform }: Base, wanted: Platform): BaseFacts {
  const { Env, Shell, OnBuild } = config.config ?? {};
  return {
    env: new Map(splitEnv(Env)),
    hasShell: (Shell ?? []).length > 0,
    triggers: OnBuild ?? [],
    platform: parsePlatform(formatPlatform({ ...platform, os: config.os, architecture: config.architecture })),
    wanted,
  };
}
