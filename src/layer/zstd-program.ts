// The zstd program, for a Node whose zlib knows no zstd (before 22.15).

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

// Nothing of the builder's environment is the program's business.
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Runs bytes through `zstd ARGS`; throws where the program is missing or fails. */
export async function* runZstd(args: readonly string[], input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const child = spawn("zstd", ["-q", "-c", ...args], { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (complaint.length < 4096) complaint += text;
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  ended.catch(() => {});
  const fed = feed(input, child.stdin);
  // Awaited below; until then a failure must not count as unhandled.
  fed.catch(() => {});
  try {
    yield* child.stdout;
    const code = await ended;
    if (code !== 0) throw new Error(`zstd ended with ${code ?? "a signal"}: ${complaint.trim()}`);
    await fed;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw missingZstd(error);
    throw error;
  } finally {
    child.kill("SIGKILL");
  }
}

/** The installed program's version. */
export async function zstdVersion(): Promise<string> {
  const child = spawn("zstd", ["-q", "--version"], { env: environment, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close");
  let text = "";
  try {
    for await (const chunk of child.stdout) text += String(chunk);
    await ended;
  } catch (error) {
    throw missingZstd(error);
  }
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? "unknown";
}

async function feed(input: AsyncIterable<Uint8Array>, stdin: Writable): Promise<void> {
  await pipeline(input, stdin);
}

function missingZstd(cause: unknown): Error {
  return new Error(`Cannot use zstd: Node ${process.versions.node} does not know it (22.15 does) and the zstd program is not installed`, {
    cause,
  });
}
