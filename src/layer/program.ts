// Bytes through a program that is installed on the machine: for compressions that Node does not know.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";

/** Nothing of the builder's environment is a program's business. The last two are where the executor image keeps its own. */
export const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/kaniko:/busybox";

/** The program ran and did not like its input. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
}

/** The program is not on the usual path. */
export class MissingProgramError extends Error {
  override readonly name = "MissingProgramError";
  readonly program: string;
  constructor(program: string, cause: unknown) {
    super(`Cannot run ${program}: it is not installed`, { cause });
    this.program = program;
  }
}

/** What a program writes of what it reads. Throws what the input throws, a ProgramError or a MissingProgramError. */
export async function* runProgram(
  program: string,
  args: readonly string[],
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const child = spawn(program, args, { env: { PATH: usualPath }, stdio: ["pipe", "pipe", "pipe"] });
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
    if (code !== 0 && !("cause" in fault)) throw new ProgramError(complaint.trim() || `${program} ended with ${code ?? "a signal"}`);
    await fed;
  } catch (error) {
    if ("cause" in fault) throw fault.cause;
    throw (error as NodeJS.ErrnoException).code === "ENOENT" ? new MissingProgramError(program, error) : error;
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
