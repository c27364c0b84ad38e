// Reads the ignore file of a build: the one beside its Dockerfile, else the one at the context's root.

import { maxBytes } from "./dockerfile.ts";
import { type IgnorePatterns, noPatterns, parseIgnore } from "./ignore.ts";
import type { Place } from "./place.ts";

/** The first that is there; with none, or with directories of these names, nothing is ignored. */
export async function readIgnoreFile(places: readonly Place[]): Promise<IgnorePatterns> {
  for (const place of places) {
    const fail = (why: string, cause?: unknown) => new Error(`Cannot read ignore file ${place.shown}: ${why}`, { cause });
    try {
      const found = await place.look();
      if (found === undefined || found.type === "directory") continue;
      if (found.type === "other") throw fail("it is no regular file");
      if (found.size > maxBytes) throw fail(`it has ${found.size} bytes; ${maxBytes} are the limit`);
      return parseIgnore(await found.read(), place.path);
    } catch (cause) {
      throw cause instanceof Error && "code" in cause ? fail("access to it failed", cause) : cause;
    }
  }
  return noPatterns;
}
