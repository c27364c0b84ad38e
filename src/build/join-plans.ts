// One plan out of several, for a build for more than one platform: what they have in common is built once.

import { type Origin, type Plan, renumberStep, type StagePlan } from "./plan.ts";

/** The stages of all plans, equal ones once, and a target for each plan, in their order. What `besides` has is built, and no more. */
export function joinPlans(plans: readonly Plan[], besides: readonly Plan[] = []): Plan {
  const stages: StagePlan[] = [];
  const places = new Map<string, number>();
  const warnings = new Map<string, Plan["warnings"][number]>();
  const targets = plans.flatMap(add);
  const others = besides.flatMap(add);
  return { stages, targets, besides: others, epoch: plans[0]?.epoch, warnings: [...warnings.values()] };

  function add(plan: Plan): readonly number[] {
    const joined: number[] = [];
    const renumber = (origin: Origin): Origin =>
      origin.kind === "stage" ? { kind: "stage", stage: joined[origin.stage] ?? origin.stage } : origin;
    for (const stage of plan.stages) {
      const steps = stage.steps.map((step) => renumberStep(step, renumber));
      const renumbered: StagePlan = { ...stage, base: renumber(stage.base), steps };
      const key = JSON.stringify(renumbered);
      const place = places.get(key) ?? stages.push(renumbered) - 1;
      places.set(key, place);
      joined.push(place);
    }
    for (const warning of plan.warnings) warnings.set(JSON.stringify(warning), warning);
    return plan.targets.map((target) => joined[target] ?? target);
  }
}
