// The zstd program, for a Node whose zlib knows no zstd (before 22.15).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { MissingProgramError, runProgram, usualPath } from "./program.ts";

/** Runs bytes through `zstd ARGS`; throws as `runProgram` does, with advice where the program is missing. */
export async function* runZstd(args: readonly string[], input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* runProgram("zstd", ["-q", "-c", ...args], input);
  } catch (error) {
    throw error instanceof MissingProgramError ? missingZstd(error) : error;
  }
}

/** The version of the program that is installed below `path`; throws where none is. */
export async function zstdVersion(path: string = usualPath): Promise<string> {
  const child = spawn("zstd", ["-q", "--version"], { env: { PATH: path }, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close");
  // Awaited below; until then a program that does not start must not count as an unhandled failure, which would end the build.
  ended.catch(() => {});
  let text = "";
  try {
    for await (const chunk of child.stdout) text += String(chunk);
    await ended;
  } catch (error) {
    throw missingZstd(error);
  }
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? "unknown";
}

function missingZstd(cause: unknown): Error {
  return new Error(`Cannot use zstd: Node ${process.versions.node} does not know it (22.15 does) and the zstd program is not installed`, {
    cause,
  });
}
