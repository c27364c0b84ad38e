// What is built anew although earlier builds have left something of it: --no-cache and --no-cache-filter.

import type { Stage } from "../dockerfile/dockerfile.ts";
import { suggest } from "../dockerfile/dockerfile.ts";
import type { Plan } from "./plan.ts";

export interface Uncached {
  readonly all: boolean;
  /** Names of stages, in any case. */
  readonly stages: readonly string[];
}

/** Stages without a name can be meant by `all` alone. */
export function isUncached({ name }: Pick<Stage, "name">, { all, stages }: Uncached): boolean {
  return all || stages.some((one) => one.toLowerCase() === name);
}

/** A warning for each name that no stage has; BuildKit passes over them. */
export function unknownStageWarnings(stages: readonly Pick<Stage, "name">[], uncached: Uncached): Plan["warnings"] {
  const names = stages.flatMap(({ name }) => name ?? []);
  return uncached.stages
    .filter((one) => !names.includes(one.toLowerCase()))
    .map((one) => ({ text: [`--no-cache-filter: there is no stage "${one}"`, suggest(one, names) ?? []].flat().join("; ") }));
}

/** Ids of the caches that the commands of such stages mount: as in BuildKit nobody sees what earlier builds left in them. */
export function freshCaches({ stages }: Plan): ReadonlySet<string> {
  const mounts = stages
    .filter((stage) => stage.isUncached)
    .flatMap(({ steps }) => steps.flatMap((step) => (step.kind === "run" ? step.mounts : [])));
  return new Set(mounts.flatMap((mount) => (mount.kind === "cache" ? mount.id : [])));
}
