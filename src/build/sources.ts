// The contexts of a build: opens them, and checks before the build starts that what COPY, ADD and mounts take from them is there.

import { type ContextSource, type FetchTools, type Files, openFiles } from "../context/context.ts";
import type { Part } from "../dockerfile/dockerfile.ts";
import { type RawPath, toText } from "../layer/entry.ts";
import { BuildFailure, hintOf, type PlaceOf } from "./failure.ts";
import { findSource } from "./mount-source.ts";
import { describeFiles, readNamedContext } from "./named-context.ts";
import { originPart } from "./origin-part.ts";
import { type Origin, originsOf, type Plan, type Step } from "./plan.ts";
import type { Request } from "./request.ts";
import { SourceNotFound, selectSources } from "./select.ts";
import type { ContextFiles } from "./xattrs.ts";

/** By the name that --build-context gave; "" is the build context. */
export type Contexts = ReadonlyMap<string, ContextFiles>;

export function filesOf(contexts: Contexts, origin: { readonly name?: string }): ContextFiles {
  const files = contexts.get(origin.name ?? "");
  if (files === undefined) throw new Error(`Cannot use context "${origin.name}": it was not opened`);
  return files;
}

/** Opens what --build-context names, each once. */
export interface NamedFiles {
  /** As in BuildKit an archive of the web is one file. Throws a SyntaxError, or where its files are not to be had. */
  open(name: string): Promise<Files>;
  /** The same for files that have no name; archives of the web come as what is in them. */
  openSource(source: ContextSource): Promise<Files>;
  close(): Promise<void>;
}

export function openNamedFiles({ buildContexts, stateDir }: Pick<Request, "buildContexts" | "stateDir">, tools: FetchTools): NamedFiles {
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const opened = new Map<string, Promise<Files>>();
  const openOnce = (name: string, source: ContextSource, unpacks: boolean) => {
    const key = JSON.stringify([source, unpacks]);
    const files = opened.get(key) ?? openFiles(source, name, { stateDir, unpacks }, { ...tools, signal });
    opened.set(key, files);
    return files;
  };
  return {
    async open(name) {
      const context = readNamedContext(name, buildContexts.get(name) ?? "");
      if (context.kind !== "files") throw new Error(`Cannot use build context "${name}": it is an image`);
      return openOnce(name, context.source, false);
    },
    openSource: (source) => openOnce(describeFiles(source), source, true),
    async close() {
      stop.abort();
      for (const outcome of await Promise.allSettled(opened.values())) if (outcome.status === "fulfilled") await outcome.value.close();
    },
  };
}

/** The build context and those of --build-context that the plan takes files from. Throws a BuildFailure where they are first used. */
export async function openContexts(plan: Plan, context: Files, named: NamedFiles, place: PlaceOf): Promise<Contexts> {
  const users = new Map<string, Step>();
  for (const step of plan.stages.flatMap((stage) => stage.steps))
    for (const origin of originsOf(step))
      if (origin.kind === "context" && origin.name !== undefined && !users.has(origin.name)) users.set(origin.name, step);
  const open = async ([name, { kind, source }]: readonly [string, Step]) => {
    try {
      return [name, await named.open(name)] as const;
    } catch (error) {
      if (!(error instanceof Error) || error.name === "AbortError") throw error;
      throw new BuildFailure(error.message, { place: place(source, originPart(kind, name)), hint: hintOf(error), cause: error });
    }
  };
  return new Map([["", context], ...(await Promise.all([...users].map(open)))]);
}

/** Throws a BuildFailure for the first literal source that is absent or ignored. */
export function checkSources(plan: Plan, contexts: Contexts, place: PlaceOf): void {
  for (const step of plan.stages.flatMap((stage) => stage.steps)) {
    for (const { origin, path, parents, part } of pathsOf(step)) {
      if (origin.kind !== "context") continue;
      const files = filesOf(contexts, origin);
      try {
        if (parents === undefined) findSource(files, path);
        else selectSources(files, path, parents);
      } catch (error) {
        throw new BuildFailure(error instanceof Error ? error.message : String(error), {
          place: place(step.source, part),
          hint: error instanceof SourceNotFound ? sourceHint(error, files) : undefined,
          cause: error,
        });
      }
    }
  }
}

/** What a step takes from elsewhere; `parents` is there where wildcards count. */
function pathsOf(
  step: Step,
): readonly { readonly origin: Origin; readonly path: RawPath; readonly parents?: boolean; readonly part: Part }[] {
  if (step.kind === "run")
    return step.mounts.flatMap((mount) => {
      if (mount.kind !== "bind") return [];
      return [{ origin: mount.from, path: mount.source, part: { of: "flag", text: "--mount", inner: toText(mount.source) } }];
    });
  if (step.kind !== "copy") return [];
  const { from, parents } = step;
  return step.sources.flatMap((source, index) =>
    source.kind === "path" ? [{ origin: from, path: source.path, parents, part: { of: "source", index } }] : [],
  );
}

function sourceHint(error: SourceNotFound, files: Files): string {
  if (files.isIgnored(error.path)) return `"${toText(error.path)}" is left out of the context by the .dockerignore file`;
  return `check the spelling, and that "${toText(error.path)}" lies in the context ${files.location}`;
}
