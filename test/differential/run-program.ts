// Runs a program to its end, with a limit.

import { spawn } from "node:child_process";

export interface Ended {
  /** Or the signal that ended it. */
  readonly code: number | string;
  /** Standard output and error together. */
  readonly log: string;
}

export function runProgram(
  [program = "", ...args]: readonly string[],
  { env, timeoutMs }: { readonly env: Readonly<Record<string, string>>; readonly timeoutMs: number },
): Promise<Ended> {
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (log += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code: code ?? signal ?? "no exit code", log }));
  });
}
