// Carries a plan out: its stages side by side, each as soon as what it needs is there.

import type { Digest } from "../image/digest.ts";
import type { BuiltStage, ExecuteTools } from "./built-stage.ts";
import type { Origin, Plan } from "./plan.ts";
import { allSteps, type Resumption } from "./resume.ts";
import { hasRun, StageBuild } from "./stage-build.ts";

/**
 * Builds the stages of the plan that something is needed of, and gives them in its order; the first failure stops the others and is thrown
 * when they have stopped.
 */
export async function execute(plan: Plan, tools: ExecuteTools): Promise<readonly (BuiltStage | undefined)[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([tools.signal, failed.signal]);
  const shipped = new Set(plan.targets.flatMap((target) => [...stagesBelow(plan, target)]));
  const { hits, needed } = tools.resumption ?? allSteps(plan);
  const unpacked = basesBelowRuns(plan, hits);
  // Then the image is likely to be where it is to go, and nobody need ask for each of its layers.
  const isWhole = plan.targets.every(
    (target) => (hits[target]?.last ?? -1) + 1 === plan.stages[target]?.steps.length && hits[target] !== undefined,
  );
  const stages: (Promise<BuiltStage> | undefined)[] = [];
  for (const [number, stage] of plan.stages.entries()) {
    if (!needed.has(number)) {
      stages.push(undefined);
      continue;
    }
    const isPassedOn = shipped.has(number) && !isWhole;
    const { onLayer, onCached } = isPassedOn ? tools : { onLayer() {}, onCached() {} };
    const siblings = { plan, number, stages, unpacked, hit: hits[number] };
    const fail = (error: unknown) => failed.abort(error);
    const building = new StageBuild(stage, siblings, { ...tools, signal, onLayer, onCached, fail }).build();
    building.catch(fail);
    stages.push(building);
  }
  const settled = await Promise.allSettled(stages);
  tools.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return settled.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : undefined));
}

/** A stage and those that it is built FROM: their layers are the image's. */
function stagesBelow(plan: Plan, target: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let at: number | undefined = target; at !== undefined; ) {
    found.add(at);
    const base: Origin | undefined = plan.stages[at]?.base;
    at = base?.kind === "stage" ? base.stage : undefined;
  }
  return found;
}

/** The images whose layers have to be unpacked, since a command runs on top of them. */
function basesBelowRuns(plan: Plan, hits: Resumption["hits"]): ReadonlySet<Digest> {
  const found = new Set<Digest>();
  for (const [number, stage] of plan.stages.entries()) {
    if (!hasRun(stage, (hits[number]?.last ?? -1) + 1)) continue;
    let base: Origin | undefined = stage.base;
    while (base?.kind === "stage") base = plan.stages[base.stage]?.base;
    if (base?.kind === "image") found.add(base.digest);
  }
  return found;
}
