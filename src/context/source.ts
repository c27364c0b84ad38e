// Where a build context is: kaniko's forms of --context, of which local directories are served.

import { realpath, stat } from "node:fs/promises";
import path from "node:path";

export interface SourceOptions {
  readonly subPath: string;
  readonly workingDirectory: string;
}

const knownSchemes = ["gs://", "dir://", "tar://", "s3://", "git://", "https://"];

/** The context's directory, absolute and without symlinks. */
export async function locateContext(source: string, options: SourceOptions): Promise<string> {
  const scheme = /^[^/]*?:\/\//.exec(source)?.[0] ?? "";
  const fail = (why: string, cause?: unknown) => new Error(`Cannot open context "${source}": ${why}`, { cause });
  if (source === "") throw fail("it is empty");
  if (scheme !== "" && scheme !== "dir://") {
    if (knownSchemes.includes(scheme)) throw fail(`${scheme} is not yet supported; give a local directory`);
    throw fail(`unknown build context prefix provided, please use one of the following: ${knownSchemes.join(", ")}`);
  }
  const directory = path.resolve(options.workingDirectory, source.slice(scheme.length), path.join(".", options.subPath));
  let real: string;
  try {
    real = await realpath(directory);
  } catch (cause) {
    throw fail(`directory "${directory}" ${codeOf(cause) === "ENOENT" ? "does not exist" : "cannot be reached"}`, cause);
  }
  if (!(await stat(real)).isDirectory()) throw fail(`"${directory}" is no directory`);
  return real;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
