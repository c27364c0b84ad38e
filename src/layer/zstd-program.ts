// The zstd program, for a Node whose zlib knows no zstd (before 22.15).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";

// Nothing of the builder's environment is the program's business.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The program ran and did not like its input. */
export class ZstdError extends Error {
  override readonly name = "ZstdError";
}

/** Runs bytes through `zstd ARGS`; throws what the input throws, or a ZstdError, or where the program is missing. */
export async function* runZstd(args: readonly string[], input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const child = spawn("zstd", ["-q", "-c", ...args], { env: { PATH: usualPath }, stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (complaint.length < 4096) complaint += text;
  });
  const fault: { cause?: unknown } = {};
  const ended = once(child, "close").then(([code]) => code as number | null);
  const fed = pipeline(noteFault(input, fault), child.stdin);
  // Both are awaited below; until then a failure must not count as unhandled.
  ended.catch(() => {});
  fed.catch(() => {});
  try {
    yield* child.stdout;
    const code = await ended;
    if (code !== 0 && !("cause" in fault)) throw new ZstdError(complaint.trim() || `zstd ended with ${code ?? "a signal"}`);
    await fed;
  } catch (error) {
    throw "cause" in fault ? fault.cause : (error as NodeJS.ErrnoException).code === "ENOENT" ? missingZstd(error) : error;
  } finally {
    child.kill("SIGKILL");
  }
}

async function* noteFault(input: AsyncIterable<Uint8Array>, fault: { cause?: unknown }): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* input;
  } catch (error) {
    fault.cause = error;
    throw error;
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
