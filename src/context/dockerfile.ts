// Finds the Dockerfile as kaniko does: from the working directory first, then in the context.

import { readFile, stat } from "node:fs/promises";
import path from "node:path";

/** The text of a build's Dockerfile. It may lie outside the context, and an ignore file does not hide it from the build. */
export interface DockerfileSource {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

/** Dockerfiles and ignore files are written by hand; what is larger is something else. */
export const maxBytes = 16 * 1024 * 1024;

/** Throws with all places that were tried when there is none. */
export async function findDockerfile(name: string, directories: readonly string[]): Promise<DockerfileSource> {
  const fail = (why: string, cause?: unknown) => new Error(`Cannot read Dockerfile "${name}": ${why}`, { cause });
  if (/^https?:\/\//.test(name)) throw fail("fetching a Dockerfile from a URL is not yet supported");
  if (name === "") throw fail("its name is empty");
  const asNamed = directories.map((directory) => path.resolve(directory, name));
  const lowerCase = path.basename(name) === "Dockerfile" ? asNamed.map((place) => path.join(path.dirname(place), "dockerfile")) : [];
  for (const place of [...asNamed, ...lowerCase]) {
    try {
      const { size, isDirectory } = await statFile(place);
      if (isDirectory) throw fail(`"${place}" is a directory`);
      if (size > maxBytes) throw fail(`"${place}" has ${size} bytes; ${maxBytes} are the limit`);
      return { path: place, text: await readFile(place, "utf8") };
    } catch (cause) {
      if (isAbsent(cause)) continue;
      throw cause instanceof Error && "code" in cause ? fail(`"${place}" cannot be read`, cause) : cause;
    }
  }
  const tried = [...new Set(asNamed)].map((place) => `"${place}"`).join(" and ");
  throw fail(`there is no file ${tried}; please provide a valid path to a Dockerfile within the build context with --dockerfile`);
}

/** Whether an error says that a file or one of its parents is not there. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

async function statFile(place: string): Promise<{ size: number; isDirectory: boolean }> {
  const found = await stat(place);
  return { size: found.size, isDirectory: found.isDirectory() };
}
