// Carries out RUN: one command in the stage's sandbox, and the items of the layer that it leaves.

import { findUser, type Tree } from "../filesystem/filesystem.ts";
import type { Report, StepName } from "../report/report.ts";
import type { Mount, Root, RunResult } from "../sandbox/sandbox.ts";
import { accountsOf } from "./accounts.ts";
import { BuildFailure } from "./failure.ts";
import type { RunStep } from "./plan.ts";

const keptLines = 20;

/**
 * Runs the command and resolves when it ended with 0; a BuildFailure tells the exit code, and shows the last lines it wrote. Of `tree` the
 * users are looked up in; `digested` is the same, once the digests of its files are known.
 */
export async function runCommand(
  step: RunStep,
  mounts: readonly Mount[],
  root: Root,
  { tree, digested }: { readonly tree: Tree; readonly digested: Promise<Tree> },
  tools: { readonly report: Report; readonly name: StepName; readonly signal: AbortSignal },
): Promise<RunResult> {
  const user = findUser(accountsOf(tree), step.user);
  const tail = new Tail(keptLines);
  const show = (stream: "stdout" | "stderr") => (bytes: Uint8Array) => {
    tail.write(bytes);
    tools.report.emit({ kind: "step-output", step: tools.name, stream, bytes });
  };
  const result = await root.run(
    {
      args: step.args,
      env: step.env.some((pair) => pair.startsWith("HOME=")) ? step.env : [...step.env, `HOME=${user.home}`],
      cwd: step.cwd,
      user,
      hostname: "buildkitsandbox",
      network: step.network,
      mounts,
      stdout: show("stdout"),
      stderr: show("stderr"),
    },
    digested,
    tools.signal,
  );
  if (result.exitCode === 0) return result;
  // The excerpt shows the rest of a script.
  const command = `process "${step.args.join(" ").trimEnd().replace(/\n.*/s, " …")}" did not complete successfully`;
  throw new BuildFailure(`${command}: exit code: ${result.exitCode}${result.signal === undefined ? "" : ` (${result.signal})`}`, {
    exitCode: result.exitCode,
    hint: result.hint,
    output: tail.lines(),
  });
}

/** Keeps the last lines of a stream of bytes, each cut to 1000 characters. */
class Tail {
  readonly #limit: number;
  #text = "";

  constructor(limit: number) {
    this.#limit = limit;
  }

  write(bytes: Uint8Array): void {
    this.#text += Buffer.from(bytes).toString("latin1");
    if (this.#text.length < 65536) return;
    this.#text = this.#text
      .split("\n")
      .slice(-this.#limit - 1)
      .join("\n")
      .slice(-32768);
  }

  lines(): readonly string[] {
    const text = Buffer.from(this.#text, "latin1").toString("utf8").replace(/\n$/, "");
    return text === ""
      ? []
      : text
          .split("\n")
          .slice(-this.#limit)
          .map((line) => line.slice(0, 1000));
  }
}
