// The variables that FROM lines see: arguments about platforms, and those declared before the first FROM.

import { type Dockerfile, expandWord, locateErrors, within } from "../dockerfile/dockerfile.ts";
import type { Platform } from "../image/platform.ts";
import { platformArguments } from "./scope.ts";

export interface GlobalsRequest {
  readonly target: string | undefined;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly platform: Platform;
}

/** By name. Throws a DockerfileError. */
export function evaluateGlobals(dockerfile: Dockerfile, { buildArgs, platform, target }: GlobalsRequest): Map<string, string> {
  const { stages, globalArgs } = dockerfile;
  const defaults = platformArguments(platform, target ?? stages.at(-1)?.name ?? "default");
  const globals = new Map([...defaults].map(([name, value]) => [name, buildArgs.get(name) ?? value]));
  for (const { args, range } of globalArgs)
    for (const { name, value } of args) {
      const variables = { get: (key: string) => globals.get(key), escape: dockerfile.escape };
      const expand = (text: string) => within({ of: "argument", text }, () => expandWord(text, variables));
      const fallback = value === undefined ? undefined : locateErrors(dockerfile, range, () => expand(value));
      const set = buildArgs.get(name) ?? fallback;
      if (set !== undefined) globals.set(name, set);
    }
  return globals;
}
