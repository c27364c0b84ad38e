// A program that has ended: its exit code and all that it wrote.

import type { ChildProcessByStdio } from "node:child_process";
import type { Readable } from "node:stream";

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Rejects where it could not be started. */
export function whenEnded(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Ended> {
  const texts = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.err += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...texts }));
  });
}
