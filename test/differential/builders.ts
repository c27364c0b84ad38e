// Builds a program, laid out in a folder, with the reference and with Slipway.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as core from "../../src/build/build.ts";
import { runShell } from "../../src/host/shell.ts";
import { ownProcess } from "../../src/host/surroundings.ts";
import { layOutContext } from "./lay-out.ts";
import { type Outcome, readLayout } from "./outcome.ts";
import { dockerfileOf, type Program } from "./program.ts";
import type { Reference } from "./reference.ts";
import { type Ended, runProgram } from "./run-program.ts";

export type Build = (program: Program) => Promise<Outcome>;

export interface Workbench {
  /** `127.0.0.1:PORT` of the registry with the bases. */
  readonly host: string;
  /** For files of the builds. */
  readonly folder: string;
  /** diffIds of the bases. */
  readonly known: ReadonlySet<string>;
}

interface LaidOut {
  readonly context: string;
  readonly dockerfile: string;
  /** Where the OCI layout goes. */
  readonly layout: string;
  readonly args: readonly string[];
}

const timeoutMs = 120_000;

/** Whoever builds keeps contexts and what cache mounts held, so each build has names of its own. */
let builds = 0;

export function buildWithReference({ env, client }: Reference, bench: Workbench): Build {
  const buildOnce: Build = (program) =>
    build(program, bench, ({ context, layout, dockerfile, args }) => {
      const space = `--build-arg=BUILDKIT_CACHE_MOUNT_NS=${process.pid}-${++builds}`;
      const flags = ["--no-cache", "--provenance=false", "--network=none", "--progress=plain", space];
      return runProgram(
        [...client, "build", ...flags, `--output=type=oci,tar=false,dest=${layout}`, `--file=${dockerfile}`, ...args, context],
        { env, timeoutMs },
      );
    });
  return async (program) => {
    const outcome = await buildOnce(program);
    // Of a loaded machine, and not of the program.
    return outcome.fails && /context canceled|^ended with SIG/.test(outcome.message) ? await buildOnce(program) : outcome;
  };
}

/** Slipway's command line, in this process. `state` is a state directory for all builds. */
export function buildWithSlipway(state: string, bench: Workbench): Build {
  return (program) =>
    build(program, bench, ({ context, layout, dockerfile, args }) => {
      // A program's cache mounts are to be empty at first.
      rmSync(join(state, "caches"), { recursive: true, force: true });
      const flags = ["--no-push", "--insecure-registry", bench.host, "--state-dir", state, "--oci-layout-path", layout, "--network=none"];
      return runSlipway(["--context", context, "--dockerfile", dockerfile, ...flags, ...args], bench.folder);
    });
}

const thisProcess = ownProcess();

async function runSlipway(args: readonly string[], directory: string): Promise<Ended> {
  let log = "";
  const stderr = {
    write(text: string) {
      log += text;
    },
    isTerminal: false,
    columns: () => undefined,
  };
  const surroundings = { ...thisProcess, args, env: { HOME: directory }, directory, stderr, onTrouble() {} };
  return { code: await runShell(core, surroundings), log };
}

async function build(program: Program, { host, folder, known }: Workbench, run: (laidOut: LaidOut) => Promise<Ended>): Promise<Outcome> {
  const work = mkdtempSync(join(folder, "build-"));
  try {
    // BuildKit keeps the files of a context under the last part of its path, and sends no file anew whose size and time are the same.
    const [context, layout, secrets] = [`context-${process.pid}-${++builds}`, "layout", "secrets"].map((name) => join(work, name)) as [
      string,
      string,
      string,
    ];
    layOutContext([...program.files], context);
    const dockerfile = join(work, "Dockerfile");
    writeFileSync(dockerfile, dockerfileOf(program, host));
    mkdirSync(secrets);
    for (const [id, text] of Object.entries(program.secrets)) writeFileSync(join(secrets, id), text);
    const args = [
      ...(program.target === undefined ? [] : [`--target=${program.target}`]),
      ...Object.entries(program.buildArgs).map(([name, value]) => `--build-arg=${name}=${value}`),
      ...Object.keys(program.secrets).map((id) => `--secret=id=${id},src=${join(secrets, id)}`),
    ];
    const start = Math.floor(Date.now() / 1000) - 3600;
    const { code, log } = await run({ context, layout, dockerfile, args });
    if (code !== 0) return { fails: true, ...readFailure(log, code) };
    return readLayout(layout, { work, known, start });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Both builders quote the lines with `>>>` before those that are to blame, and end with the message. */
function readFailure(log: string, code: number | string): { line: number; message: string } {
  const line = Number(/^ *(\d+) \| >>> /m.exec(log)?.[1] ?? 0);
  const message = /^(?:ERROR: failed to build: (?:failed to solve: )?|error building image: )(.*(?:\n.*)*)/m.exec(log)?.[1]?.trim();
  return { line, message: message ?? `ended with ${code}: ${log.slice(-500)}` };
}
