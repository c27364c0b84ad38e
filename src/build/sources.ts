// Checks before the build starts that what COPY and ADD take from the context is there.

import { type Files, openFiles } from "../context/context.ts";
import { toText } from "../layer/entry.ts";
import { BuildFailure, type Place } from "./failure.ts";
import type { Plan, Source } from "./plan.ts";
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
  for (const step of plan.stages.flatMap((stage) => stage.steps)) {
    if (step.kind !== "copy" || step.from.kind !== "context" || step.from.name === undefined) continue;
    const { name } = step.from;
    if (!contexts.has(name)) contexts.set(name, await openFiles(buildContexts.get(name) ?? "", { stateDir }));
  }
  return contexts;
}

/** Throws a BuildFailure for the first literal source that is absent or ignored. */
export function checkSources(plan: Plan, contexts: Contexts, place: (source: Source) => Place): void {
  for (const step of plan.stages.flatMap((stage) => stage.steps)) {
    if (step.kind !== "copy" || step.from.kind !== "context") continue;
    const files = filesOf(contexts, step.from);
    for (const operand of step.sources) {
      if (operand.kind !== "path") continue;
      try {
        selectSources(files, operand.path, step.parents);
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

function sourceHint(error: SourceNotFound, files: Files): string {
  if (files.isIgnored(error.path)) return `"${toText(error.path)}" is left out of the context by the .dockerignore file`;
  return `check the spelling, and that "${toText(error.path)}" lies in the context ${files.directory}`;
}
