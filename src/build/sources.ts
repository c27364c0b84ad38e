// Checks before the build starts that what COPY, ADD and mounts take from the context is there.

import { type Files, openFiles } from "../context/context.ts";
import { type RawPath, toText } from "../layer/entry.ts";
import { BuildFailure, type Place } from "./failure.ts";
import { findSource } from "./mount-source.ts";
import { type Origin, originsOf, type Plan, type Source, type Step } from "./plan.ts";
import type { Request } from "./request.ts";
import { SourceNotFound, selectSources } from "./select.ts";

/** By the name that --build-context gave; "" is the build context. */
export type Contexts = ReadonlyMap<string, Files>;

export function filesOf(contexts: Contexts, origin: { readonly name?: string }): Files {
  const files = contexts.get(origin.name ?? "");
  if (files === undefined) throw new Error(`Cannot use context "${origin.name}": it was not opened`);
  return files;
}

/** The build context and the directories of --build-context that the plan takes files from. */
export async function openContexts(
  plan: Plan,
  context: Files,
  { buildContexts, stateDir }: Pick<Request, "buildContexts" | "stateDir">,
): Promise<Contexts> {
  const contexts = new Map([["", context]]);
  const steps = plan.stages.flatMap((stage) => stage.steps);
  for (const origin of steps.flatMap(originsOf)) {
    if (origin.kind !== "context" || origin.name === undefined || contexts.has(origin.name)) continue;
    contexts.set(origin.name, await openFiles(buildContexts.get(origin.name) ?? "", { stateDir }));
  }
  return contexts;
}

/** Throws a BuildFailure for the first literal source that is absent or ignored. */
export function checkSources(plan: Plan, contexts: Contexts, place: (source: Source) => Place): void {
  for (const step of plan.stages.flatMap((stage) => stage.steps)) {
    for (const { origin, path, parents } of pathsOf(step)) {
      if (origin.kind !== "context") continue;
      const files = filesOf(contexts, origin);
      try {
        if (parents === undefined) findSource(files, path);
        else selectSources(files, path, parents);
      } catch (error) {
        throw new BuildFailure(error instanceof Error ? error.message : String(error), {
          place: place(step.source),
          hint: error instanceof SourceNotFound ? sourceHint(error, files) : undefined,
          cause: error,
        });
      }
    }
  }
}

/** What a step takes from elsewhere; `parents` is there where wildcards count. */
function pathsOf(step: Step): readonly { readonly origin: Origin; readonly path: RawPath; readonly parents?: boolean }[] {
  if (step.kind === "run")
    return step.mounts.flatMap((mount) => (mount.kind === "bind" ? [{ origin: mount.from, path: mount.source }] : []));
  if (step.kind !== "copy") return [];
  const { from, parents } = step;
  return step.sources.flatMap((source) => (source.kind === "path" ? [{ origin: from, path: source.path, parents }] : []));
}

function sourceHint(error: SourceNotFound, files: Files): string {
  if (files.isIgnored(error.path)) return `"${toText(error.path)}" is left out of the context by the .dockerignore file`;
  return `check the spelling, and that "${toText(error.path)}" lies in the context ${files.directory}`;
}
