// Looks for what a Dockerfile should not say though it can be built: the build checks.

import { type CheckConfig, isEnabled } from "./check-config.ts";
import { checkFrom, type Globals, readGlobals } from "./check-from.ts";
import { lateRules, type RuleName, ruleNamed } from "./check-rules.ts";
import { checkStage, type StageFacts, startStage } from "./check-stage.ts";
import { checkWriting } from "./check-writing.ts";
import type { Dockerfile } from "./dockerfile.ts";
import { DockerfileError, lineRange, type Range } from "./error.ts";
import type { Instruction, Written } from "./instruction.ts";
import { quote } from "./quote.ts";
import { findBaseStage, findStage, type Stage } from "./stage.ts";
import { findNearest } from "./suggest.ts";
import { parseOnbuild } from "./trigger.ts";

/** Something that a check has to say about a place. */
export interface Finding {
  readonly rule: string;
  readonly message: string;
  /** What the rule asks for. */
  readonly description: string;
  readonly url?: string;
  readonly range: Range;
  /** BuildKit says nothing here, so `error=true` passes it over. */
  readonly own: boolean;
}

type Platform = { readonly os: string; readonly architecture: string; readonly variant?: string };

/** The platform of an image, and that which the build asked for. */
export interface ImageFacts {
  readonly platform: Platform;
  readonly wanted: Platform;
}

/** What a base image's configuration says. */
export interface BaseFacts extends ImageFacts {
  readonly env: ReadonlyMap<string, string>;
  readonly hasShell: boolean;
  readonly triggers: readonly string[];
}

/** What only a build knows. */
export interface CheckFacts {
  readonly buildArgs: ReadonlyMap<string, string>;
  /** Arguments that need no ARG above the first FROM, such as TARGETPLATFORM. */
  readonly predefined: ReadonlyMap<string, string>;
  /** Stages that it does not need are left out; undefined: all are looked at. */
  readonly target: Stage | undefined;
  /** By index of the stage; where one is missing, checks that need it leave out what they cannot know. */
  readonly bases: ReadonlyMap<number, BaseFacts>;
  /** Images that COPY takes files from, by what its `--from` says. */
  readonly images: ReadonlyMap<string, ImageFacts>;
  /** Whether the ignore file hides a source of COPY; undefined: that cannot be said. */
  readonly isIgnored: ((source: string) => boolean) | undefined;
}

/** Tells of a finding at an instruction; comments above it, or above `by`, may silence it. */
export type Tell = (
  rule: RuleName,
  at: Pick<Written, "range" | "comments">,
  message: string,
  more?: { readonly by?: Pick<Written, "comments">; readonly own?: boolean },
) => void;

/** All findings, in the order of the lines. */
export function checkDockerfile(dockerfile: Dockerfile, config: CheckConfig, facts: CheckFacts): Finding[] {
  const findings = new Map<string, Finding>();
  const tell: Tell = (name, at, message, { by, own } = {}) => {
    const rule = ruleNamed[name];
    if (!isEnabled(rule, config, at.comments) || (by && !isEnabled(rule, config, by.comments))) return;
    const { description, url } = rule;
    const finding = { rule: name, message, description, ...(url ? { url } : {}), range: at.range, own: own ?? rule.own ?? false };
    findings.set(`${name} ${at.range.start.line} ${message}`, finding);
  };
  checkNames(dockerfile, config, tell);
  checkWriting(dockerfile, tell);
  const globals = readGlobals(dockerfile, facts);
  checkFrom(dockerfile, globals, facts, tell);
  checkReached(dockerfile, globals, facts, tell);
  return [...findings.values()].sort((a, b) => a.range.start.line - b.range.start.line);
}

/** BuildKit takes any name for that of a rule. */
function checkNames({ directives }: Dockerfile, config: CheckConfig, tell: Tell): void {
  const { check } = directives;
  if (!check) return;
  const at = { range: lineRange(check.line), comments: [] };
  const named = [config.skip, config.experimental].flatMap((names) => (names === "all" ? [] : [...names]));
  for (const name of named.filter((one) => check.value.includes(one) && !Object.hasOwn(ruleNamed, one))) {
    const nearest = findNearest(name, Object.keys(ruleNamed));
    tell("UnknownRule", at, `There is no rule ${quote(name)}${nearest === undefined ? "" : ` (did you mean ${nearest}?)`}`);
  }
}

/** `RULE LINE` for each of the rules that look at files and each instruction, by its first line, where the rule is to be silent. */
export function findSilenced(dockerfile: Dockerfile, config: CheckConfig): ReadonlySet<string> {
  const instructions = dockerfile.stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  return new Set(
    instructions.flatMap(({ comments, range }) =>
      lateRules.filter((rule) => !isEnabled(rule, config, comments)).map(({ name }) => `${name} ${range.start.line}`),
    ),
  );
}

/** The error of a build that `error=true` stops: BuildKit's words. undefined: nothing stops it. */
export function formatViolation(config: CheckConfig, findings: readonly Finding[]): { message: string; range: Range } | undefined {
  const counted = config.error ? findings.filter(({ own }) => !own) : [];
  const [first] = counted;
  const names = [...new Set(counted.map(({ rule }) => rule))].sort();
  return first && { message: `lint violation found for rules: ${names.join(", ")}`, range: first.range };
}

/** The images that stages are built on, variables replaced, by index of the stage; neither other stages nor `scratch`. */
export function findBaseImages(
  dockerfile: Dockerfile,
  facts: Pick<CheckFacts, "buildArgs" | "predefined">,
): Map<number, { readonly image: string; readonly platform: string }> {
  const globals = readGlobals(dockerfile, facts);
  const images = new Map<number, { image: string; platform: string }>();
  for (const stage of dockerfile.stages) {
    const image = globals.expand(stage.from.image).text;
    const platform = globals.expand(stage.from.platform ?? "").text;
    if (image === undefined || image === "" || image === "scratch" || platform === undefined) continue;
    if (findBaseStage(dockerfile.stages, stage.index, image) === undefined) images.set(stage.index, { image, platform });
  }
  return images;
}

/** Walks through the stages that the target needs, each after the one it is built on. */
function checkReached(dockerfile: Dockerfile, { values, expand }: Globals, facts: CheckFacts, tell: Tell): void {
  const { stages } = dockerfile;
  const parents = stages.map((stage) => findBaseStage(stages, stage.index, expand(stage.from.image).text ?? ""));
  const instructions = stages.map((stage, index) => {
    const inherited = facts.bases.get(index)?.triggers ?? parents[index]?.instructions.flatMap(triggerOf) ?? [];
    return [...inherited.flatMap((text) => readTrigger(text, dockerfile, stage)), ...stage.instructions];
  });
  const reached = new Set<number>();
  const reach = (stage: Stage | undefined) => {
    if (stage === undefined || reached.has(stage.index)) return;
    reached.add(stage.index);
    reach(parents[stage.index]);
    for (const instruction of instructions[stage.index] ?? []) for (const name of namedStages(instruction)) reach(findNamed(stages, name));
  };
  if (facts.target === undefined) for (const stage of stages) reach(stage);
  else reach(facts.target);

  const stageFacts: StageFacts = { ...facts, globals: values, dockerfile };
  const states = new Map<number, ReturnType<typeof startStage>>();
  for (const stage of stages) {
    if (!reached.has(stage.index)) continue;
    const parent = parents[stage.index];
    const state = startStage(parent && states.get(parent.index), facts.bases.get(stage.index), expand(stage.from.image).text === "scratch");
    states.set(stage.index, state);
    checkStage(instructions[stage.index] ?? [], state, stageFacts, tell);
  }
}

function triggerOf(instruction: Instruction): string[] {
  return instruction.kind === "onbuild" ? [instruction.trigger] : [];
}

/** It stands at the FROM that runs it. One that cannot be read fails the build, which tells of it. */
function readTrigger(text: string, { file }: Dockerfile, stage: Stage): Exclude<Instruction, { kind: "from" }>[] {
  try {
    const instruction = parseOnbuild(text, file, stage.from.range);
    return [{ ...instruction, range: stage.from.range, comments: stage.from.comments }];
  } catch (error) {
    if (error instanceof DockerfileError) return [];
    throw error;
  }
}

function namedStages(instruction: Instruction): string[] {
  if (instruction.kind === "copy") return instruction.from === undefined ? [] : [instruction.from];
  return instruction.kind === "run" ? instruction.mounts.flatMap(({ from }) => from ?? []) : [];
}

function findNamed(stages: readonly Stage[], name: string): Stage | undefined {
  try {
    return findStage(stages, name);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
