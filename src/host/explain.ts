// Prints what the cache has of a build: a line for each step, or JSON.

import type { ExplainedStage, ExplainedStep } from "../build/build.ts";
import { neutralizeLine } from "../report/neutral.ts";
import { printJson } from "./check.ts";

/** Ends in a line feed. Any format but json is text. */
export function showExplained(stages: readonly ExplainedStage[], format: string): string {
  if (format === "json") return printJson({ stages, ...countStates(stages) });
  const isMixed = new Set(stages.map(({ platform }) => platform)).size > 1;
  const lines = stages.flatMap(({ name, base, platform, steps }) => [
    `[${name} 1/${steps.length + 1}] FROM ${base}${isMixed ? ` for ${platform}` : ""}`,
    ...steps.map((step) => `[${step.id}] ${step.text}: ${describe(step)}`),
  ]);
  const { cached, toBuild, notNeeded } = countStates(stages);
  const total = `${cached} cached, ${toBuild} to build, ${notNeeded} not needed`;
  return [...lines, total].map((line) => `${neutralizeLine(line, false)}\n`).join("");
}

function describe({ state, store, why }: ExplainedStep): string {
  if (store !== undefined) return `${state} in ${store}`;
  return why === undefined ? state : `${state}, ${why}`;
}

function countStates(stages: readonly ExplainedStage[]) {
  const states = stages.flatMap(({ steps }) => steps.map(({ state }) => state));
  const count = (wanted: ExplainedStep["state"]) => states.filter((state) => state === wanted).length;
  return { cached: count("cached"), toBuild: count("to build"), notNeeded: count("not needed") };
}
