// Finds the ignore file of a build: the one beside its Dockerfile, else the one at the context's root.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { isAbsent } from "./dockerfile.ts";
import { type IgnorePatterns, noPatterns, parseIgnore } from "./ignore.ts";

/** `<Dockerfile>.dockerignore` replaces `<context>/.dockerignore`; with neither, or with directories of these names, nothing is ignored. */
export async function readIgnoreFile(dockerfilePath: string | undefined, contextDirectory: string): Promise<IgnorePatterns> {
  const own = dockerfilePath === undefined ? [] : [`${dockerfilePath}.dockerignore`];
  for (const place of [...own, path.join(contextDirectory, ".dockerignore")]) {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(place);
    } catch (cause) {
      if (isAbsent(cause) || (cause instanceof Error && "code" in cause && cause.code === "EISDIR")) continue;
      throw new Error(`Cannot read ignore file "${place}": access to it failed`, { cause });
    }
    return parseIgnore(bytes, place);
  }
  return noPatterns;
}
