// What --context and --build-context say: addresses, and paths that become absolute.

import { isAbsolute, resolve } from "node:path";
import type { Surroundings } from "./surroundings.ts";
import { parsePair } from "./value.ts";
import type { Value } from "./values.ts";

/** Paths become absolute, in an address as well. */
export function readContext(
  source: string,
  { directory, fileExists }: Pick<Surroundings, "directory" | "fileExists">,
): { readonly context: string; readonly notices: readonly string[] } {
  const [, scheme = "", path = ""] = /^((?:dir|tar):\/\/)?(.*)$/s.exec(source) ?? [];
  if (source === "tar://stdin" || isAddress(path)) return { context: source, notices: [] };
  const context = resolve(directory, path);
  // kaniko's own examples say dir://workspace in a pod whose working directory is /workspace.
  const meant = resolve("/", path);
  const isMistaken = scheme === "dir://" && !isAbsolute(path) && !fileExists(context) && fileExists(meant);
  if (!isMistaken) return { context: `${scheme}${context}`, notices: [] };
  return { context: `${scheme}${meant}`, notices: [`The context is ${scheme}${meant}: there is no ${context}`] };
}

/** The same for named contexts; a name that is given again overwrites. */
export function readBuildContexts(given: readonly Value[], directory: string): Map<string, string> {
  return new Map(
    given.map(({ text, source }) => {
      const [name, value] = parsePair(text, source);
      const layout = /^oci-layout:\/\/(.*)$/s.exec(value)?.[1];
      if (layout !== undefined) return [name, `oci-layout://${resolve(directory, layout)}`];
      return [name, isAddress(value) ? value : resolve(directory, value)];
    }),
  );
}

/** `SCHEME://…`, a repository as ssh names it, or a target of a bake file. */
function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/|^[\w-]+@[\w.-]+:|^target:/i.test(text);
}
