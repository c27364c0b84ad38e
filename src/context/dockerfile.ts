// Finds the Dockerfile as kaniko does: from the working directory first, then in the context.

import path from "node:path";
import type { Place, Shelf } from "./place.ts";

/** The text of a build's Dockerfile. It may lie outside the context, and an ignore file does not hide it from the build. */
export interface DockerfileSource {
  /** Absolute; inside a context that was fetched, relative to its root; an address. */
  readonly path: string;
  readonly text: string;
}

/** Dockerfiles and ignore files are written by hand; what is larger is something else. */
export const maxBytes = 16 * 1024 * 1024;

/** Gives it with the place of its own ignore file. Throws with all places that were tried when there is none. */
export async function findDockerfile(
  name: string,
  shelves: readonly Shelf[],
): Promise<{ readonly dockerfile: DockerfileSource; readonly beside: Place }> {
  const fail = (why: string, cause?: unknown) => new Error(`Cannot read Dockerfile "${name}": ${why}`, { cause });
  if (name === "") throw fail("its name is empty");
  const lowerCase = path.basename(name) === "Dockerfile" ? [path.join(path.dirname(name), "dockerfile")] : [];
  for (const spelling of [name, ...lowerCase])
    for (const shelf of shelves) {
      const place = shelf(spelling);
      try {
        const found = await place.look();
        if (found === undefined) continue;
        if (found.type === "directory") throw fail(`${place.shown} is a directory`);
        if (found.size > maxBytes) throw fail(`${place.shown} has ${found.size} bytes; ${maxBytes} are the limit`);
        const text = (await found.read()).toString("utf8");
        return { dockerfile: { path: place.path, text }, beside: shelf(`${spelling}.dockerignore`) };
      } catch (cause) {
        throw cause instanceof Error && "code" in cause ? fail(`${place.shown} cannot be read`, cause) : cause;
      }
    }
  const tried = [...new Set(shelves.map((shelf) => shelf(name).shown))].join(" and ");
  throw fail(`there is no file ${tried}; please provide a valid path to a Dockerfile within the build context with --dockerfile`);
}
