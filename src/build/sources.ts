// Checks before the build starts that what COPY and ADD take from the context is there.

import type { Context } from "../context/context.ts";
import { toText } from "../layer/entry.ts";
import { SourceNotFound, selectSources } from "./copy.ts";
import { BuildFailure, type Place } from "./failure.ts";
import type { Plan, Source } from "./plan.ts";

/** Throws a BuildFailure for the first literal source that is absent or ignored. */
export function checkSources(plan: Plan, context: Context, place: (source: Source) => Place): void {
  for (const step of plan.stages.flatMap((stage) => stage.steps)) {
    if (step.kind !== "copy" || step.from.kind !== "context") continue;
    for (const operand of step.sources) {
      if (operand.kind === "inline") continue;
      try {
        selectSources(context, operand.path);
      } catch (error) {
        throw new BuildFailure(error instanceof Error ? error.message : String(error), {
          place: place(step.source),
          hint: error instanceof SourceNotFound ? sourceHint(error, context) : undefined,
          cause: error,
        });
      }
    }
  }
}

function sourceHint(error: SourceNotFound, context: Context): string {
  if (context.isIgnored(error.path)) return `"${toText(error.path)}" is left out of the context by the .dockerignore file`;
  return `check the spelling, and that "${toText(error.path)}" lies in the context ${context.directory}`;
}
