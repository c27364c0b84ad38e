// What a build takes from the cache and what it has to do itself, step by step and with reasons.

import { formatPlatform } from "../image/platform.ts";
import { describeBase, explainMiss, type Inputs } from "./explain.ts";
import { originsOf, type Plan, type StagePlan, type Step } from "./plan.ts";
import { type CachePolicy, isCounted, type Resumption } from "./resume.ts";

export interface ExplainedStage {
  readonly name: string;
  readonly platform: string;
  /** What it is built FROM. */
  readonly base: string;
  readonly steps: readonly ExplainedStep[];
}

export interface ExplainedStep {
  /** As logs call it: `build 2/6`. */
  readonly id: string;
  readonly line: number;
  /** The instruction. */
  readonly text: string;
  /** Nothing is taken from a stage that is not needed, since what depends on it is cached. */
  readonly state: "cached" | "to build" | "not needed";
  /** Where it is kept, as messages call it. */
  readonly store?: string;
  /** Why it is to be built. */
  readonly why?: string;
}

export interface ExplainTools {
  readonly found: Resumption;
  /** Of each step of each stage. */
  readonly inputs: readonly (readonly Inputs[])[];
  readonly policy: CachePolicy;
  /** What `remember` gave to an earlier build. */
  readonly last: unknown;
}

/** Every stage of the plan, in its order. */
export function explainPlan(plan: Plan, tools: ExplainTools): readonly ExplainedStage[] {
  return plan.stages.map((stage, number) => ({
    name: stage.name,
    platform: formatPlatform(stage.platform),
    base: describeBase(stage),
    steps: stage.steps.map((step, i) => ({
      id: `${stage.name} ${i + 2}/${stage.steps.length + 1}`,
      line: step.source.line,
      text: step.source.text,
      ...explainStep(plan, { stage, number, step, i }, tools),
    })),
  }));
}

interface StepPlace {
  readonly stage: StagePlan;
  /** The stage's. */
  readonly number: number;
  readonly step: Step;
  readonly i: number;
}

function explainStep(plan: Plan, place: StepPlace, tools: ExplainTools): Pick<ExplainedStep, "state" | "store" | "why"> {
  const { stage, number, i } = place;
  const { found, policy } = tools;
  if (!found.needed.has(number)) return { state: "not needed" };
  const hit = found.hits[number];
  const own = policy.isUncached(stage) ? undefined : found.layers.get(found.keys[number]?.steps[i]?.own ?? "");
  const chain = hit !== undefined && i <= hit.last ? hit.chain : own;
  if (chain !== undefined) return { state: "cached", ...(chain.store === undefined ? {} : { store: chain.store }) };
  return { state: "to build", why: explainBuilt(plan, place, tools) };
}

function explainBuilt(plan: Plan, { stage, number, step, i }: StepPlace, { found, inputs, policy, last }: ExplainTools): string {
  if (policy.isUncached(stage)) return "the cache is not asked";
  if (!isCounted(step, policy)) return `layers of ${step.kind === "copy" ? "COPY and ADD" : "RUN and WORKDIR"} are not cached`;
  const isBuilt = (other: number) =>
    found.needed.has(other) && (found.hits[other]?.last ?? -1) + 1 < (plan.stages[other]?.steps.length ?? 0);
  const below = [...(i === 0 ? [stage.base] : []), ...originsOf(step)];
  const rebuilt = below.find((origin) => origin.kind === "stage" && isBuilt(origin.stage));
  const above = rebuilt?.kind === "stage" ? plan.stages[rebuilt.stage]?.name : undefined;
  const now = { stage, steps: inputs[number] ?? [] };
  return `not in the cache: ${explainMiss(now, i, last, { rebuilt: above, follows: i > (found.hits[number]?.last ?? -1) + 1 })}`;
}

/** One sentence for each stage that has something to build which the cache could have had. */
export function describeMisses(plan: Plan, explained: readonly ExplainedStage[], policy: CachePolicy): readonly string[] {
  return explained.flatMap(({ steps }, number) => {
    const i = steps.findIndex(({ state }) => state === "to build");
    const [step, first] = [plan.stages[number]?.steps[i], steps[i]];
    if (step === undefined || first === undefined || !isCounted(step, policy)) return [];
    return [`[${first.id}] ${first.text}: ${first.why}`];
  });
}
