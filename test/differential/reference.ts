// The builder to compare with: the BuildKit of dockerd, started from a root of Debian packages in namespaces of its own.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runProgram } from "./run-program.ts";

export interface Reference {
  /** `DOCKER_HOST=…`, for the client. */
  readonly env: Readonly<Record<string, string>>;
  /** The client's program and first arguments. */
  readonly client: readonly [string, ...string[]];
  /** What it is, for the report. */
  readonly versions: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `root` as make-reference left it; everything that the daemon keeps is below `state`. */
export async function startReference(root: string, state: string): Promise<Reference> {
  const client = join(root, "usr/libexec/docker/cli-plugins/docker-buildx");
  if (!existsSync(client) || !existsSync(join(root, "versions")))
    throw new Error(`There is no reference builder in "${root}": make it with test/differential/make-reference "${root}"`);
  mkdirSync(state, { recursive: true });
  const script = fileURLToPath(new URL("start-reference", import.meta.url));
  const daemon = spawn("sh", [script, root, state], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  daemon.stderr.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-10_000)));
  process.once("exit", () => signal(daemon, "SIGKILL"));
  const env = { DOCKER_HOST: `unix://${state}/docker.sock`, HOME: state };
  const end = async () => endDaemon(daemon);
  for (let tries = 0; ; tries++) {
    const { code } = await runProgram([client, "ls"], { env, timeoutMs: 10_000 });
    if (code === 0 && existsSync(`${state}/docker.sock`)) break;
    if (daemon.exitCode !== null || tries > 100) {
      await end();
      throw new Error(`The reference builder does not start:\n${log}`);
    }
    await sleep(200);
  }
  return { env, client: [client], versions: readFileSync(join(root, "versions"), "utf8").trim(), [Symbol.asyncDispose]: end };
}

/** Sends a signal to the daemon, which is the first process of its namespace, below unshare. */
function signal(daemon: ChildProcess, name: NodeJS.Signals): void {
  const children = spawnSync("ps", ["-o", "pid=", "--ppid", String(daemon.pid)], { encoding: "utf8" }).stdout.trim();
  for (const pid of children.split(/\s+/)) if (pid !== "") process.kill(Number(pid), name);
}

async function endDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = new Promise((resolve) => daemon.once("exit", resolve));
  signal(daemon, "SIGTERM");
  await ended;
}
