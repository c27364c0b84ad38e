// Finds the ignore file of a build: the one beside its Dockerfile, else the one at the context's root.

import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { isAbsent, maxBytes } from "./dockerfile.ts";
import { type IgnorePatterns, noPatterns, parseIgnore } from "./ignore.ts";

/** `<Dockerfile>.dockerignore` replaces `<context>/.dockerignore`; with neither, or with directories of these names, nothing is ignored. */
export async function readIgnoreFile(dockerfilePath: string | undefined, contextDirectory: string): Promise<IgnorePatterns> {
  const own = dockerfilePath === undefined ? [] : [`${dockerfilePath}.dockerignore`];
  for (const place of [...own, path.join(contextDirectory, ".dockerignore")]) {
    const fail = (why: string, cause?: unknown) => new Error(`Cannot read ignore file "${place}": ${why}`, { cause });
    try {
      const found = await stat(place);
      if (found.isDirectory()) continue;
      if (!found.isFile()) throw fail("it is no regular file");
      if (found.size > maxBytes) throw fail(`it has ${found.size} bytes; ${maxBytes} are the limit`);
      return parseIgnore(await readFile(place), place);
    } catch (cause) {
      if (isAbsent(cause)) continue;
      throw cause instanceof Error && "code" in cause ? fail("access to it failed", cause) : cause;
    }
  }
  return noPatterns;
}
