// Where each stage can go on: what the cache has of a plan, found with one look-up before anything runs.

import type { Cache, Chain, Key } from "../cache/cache.ts";
import type { Plan, StagePlan, Step } from "./plan.ts";
import { originsOf } from "./plan.ts";
import type { StageKeys } from "./step-keys.ts";

/** Which steps the cache serves. */
export interface CachePolicy {
  /** RUN and WORKDIR. */
  readonly runLayers: boolean;
  /** COPY and ADD. */
  readonly copyLayers: boolean;
  /** Nothing of these stages is looked up. */
  isUncached(stage: StagePlan): boolean;
}

/** The steps of a stage up to and with number `last`, counted from 0. */
export interface Hit {
  readonly last: number;
  readonly chain: Chain;
}

export interface Resumption {
  readonly keys: readonly StageKeys[];
  /** For each stage the deepest step that is there. */
  readonly hits: readonly (Hit | undefined)[];
  /** Layers of `COPY --link`, by their own keys. */
  readonly layers: ReadonlyMap<Key, Chain>;
  /** The stages that something has still to be taken from. */
  readonly needed: ReadonlySet<number>;
}

export function isCounted(step: Step, policy: CachePolicy): boolean {
  return step.kind === "copy" ? policy.copyLayers : policy.runLayers;
}

export async function findResumption(
  plan: Plan,
  keys: readonly StageKeys[],
  { cache, policy, accepts }: { readonly cache: Cache; readonly policy: CachePolicy; accepts(chain: Chain): Promise<boolean> },
): Promise<Resumption> {
  const wanted: Key[] = [];
  for (const [number, stage] of plan.stages.entries()) {
    if (policy.isUncached(stage)) continue;
    for (const [i, step] of stage.steps.entries()) {
      const key = keys[number]?.steps[i];
      if (key !== undefined && isCounted(step, policy)) wanted.push(key.state, ...(key.own === undefined ? [] : [key.own]));
    }
  }
  const found = new Map<Key, Chain>();
  for (const [key, chain] of await cache.find(wanted)) if (await accepts(chain)) found.set(key, chain);
  const hits = plan.stages.map((stage, number): Hit | undefined => {
    const states = keys[number]?.steps ?? [];
    const last = stage.steps.findLastIndex((_, i) => found.has(states[i]?.state ?? ""));
    const chain = found.get(states[last]?.state ?? "");
    return chain === undefined ? undefined : { last, chain };
  });
  return { keys, hits, layers: found, needed: neededStages(plan, hits) };
}

/** A stage without a cache: every step is to be done. */
export function allSteps(plan: Plan): Pick<Resumption, "hits" | "needed"> {
  return { hits: plan.stages.map(() => undefined), needed: neededStages(plan, []) };
}

/** The targets, and what the steps that are to be done take files from. */
function neededStages(plan: Plan, hits: Resumption["hits"]): ReadonlySet<number> {
  const needed = new Set<number>();
  const pending = [...plan.targets, ...plan.besides];
  for (let number = pending.pop(); number !== undefined; number = pending.pop()) {
    const stage = plan.stages[number];
    if (stage === undefined || needed.has(number)) continue;
    needed.add(number);
    const hit = hits[number];
    if (hit === undefined && stage.base.kind === "stage") pending.push(stage.base.stage);
    for (const step of stage.steps.slice(hit === undefined ? 0 : hit.last + 1))
      for (const origin of originsOf(step)) if (origin.kind === "stage") pending.push(origin.stage);
  }
  return needed;
}
