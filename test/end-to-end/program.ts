// The program as users start it, a process of its own against a real registry, and what it leaves on the machine.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/build.ts";
import { openLocalRegistry, pushRootFileSystem } from "../support/local-registry.ts";
import { sharedFolder } from "../support/shared.ts";

const ownMain = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Of this test process, gone with it. */
const own = mkdtempSync(join(tmpdir(), "slipway-end-to-end-"));
process.once("exit", () => rmSync(own, { recursive: true, force: true }));

let base: string | undefined;

/** A registry that has `base:1`, busybox with its applets; undefined after the test was marked as skipped. */
export async function openRegistryWithBase(test: TestContext): Promise<string | undefined> {
  const registry = sharedFolder(test, "conformance") === undefined ? undefined : await openLocalRegistry(test);
  return registry !== undefined && (await pushBase(test, registry.host)) ? registry.host : undefined;
}

/** Puts that base into a registry; false after the test was marked as skipped. */
export async function pushBase(test: TestContext, host: string): Promise<boolean> {
  const conformance = sharedFolder(test, "conformance");
  if (conformance === undefined) return false;
  base ??= makeBase(join(conformance, "make-base"));
  await pushRootFileSystem(host, base, ["base:1"]);
  return true;
}

/** Made once by each test process. */
function makeBase(program: string): string {
  const file = join(own, "base.tar.gz");
  execFileSync(program, [file], { stdio: ["ignore", "ignore", "inherit"] });
  return file;
}

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** From the last signal to the end, in milliseconds. */
  readonly lateMs: number;
}

export interface Run {
  readonly env?: Readonly<Record<string, string>>;
  /** Command and arguments that start the program instead of this process's child directly. */
  readonly prefix?: readonly string[];
  /** Milliseconds after the start; or called with all that was written to standard error, until it says that it is time. */
  readonly main?: string;
  readonly interrupt?: { readonly signal: NodeJS.Signals; readonly when: number | ((err: string) => boolean) };
}

export interface Workshop {
  readonly directory: string;
  /** Where private state directories go; empty after each run. */
  readonly state: string;
  /** Where outputs go. */
  readonly out: string;
  /** Writes a context, and runs the program on it. */
  run(files: Readonly<Record<string, string>>, args: readonly string[], options?: Run): Promise<Ended>;
  /** Fails when the machine has a mount, a process or a file of a run; `marker` is a word on the command lines of its commands. */
  assertNothingLeft(marker: string, outputs?: readonly string[]): Promise<void>;
}

export async function openWorkshop(test: TestContext): Promise<Workshop> {
  const directory = await temporaryDirectory(test);
  const [context, state, out] = ["context", "state", "out"].map((name) => join(directory, name)) as [string, string, string];
  for (const place of [context, state, out]) mkdirSync(place);
  return {
    directory,
    state,
    out,
    async run(files, args, { env = {}, prefix = [], main = ownMain, interrupt } = {}) {
      rmSync(context, { recursive: true });
      mkdirSync(context);
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(context, name)), { recursive: true });
        writeFileSync(join(context, name), text);
      }
      const [command = "", ...rest] = [...prefix, process.execPath, main, "--context", context, ...args];
      const child = spawn(command, rest, {
        cwd: context,
        env: { PATH: process.env.PATH, HOME: directory, TMPDIR: state, NODE_COMPILE_CACHE: join(own, "compiled"), ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [stdout, stderr, signalled] = ["", "", 0];
      const strike = (signal: NodeJS.Signals) => {
        if (signalled > 0) return;
        signalled = performance.now();
        child.kill(signal);
      };
      child.stdout.on("data", (bytes) => (stdout += bytes));
      child.stderr.on("data", (bytes) => {
        stderr += bytes;
        if (signalled === 0 && typeof interrupt?.when === "function" && interrupt.when(stderr)) strike(interrupt.signal);
      });
      const timer = typeof interrupt?.when === "number" ? setTimeout(() => strike(interrupt.signal), interrupt.when) : undefined;
      const [code] = await once(child, "close");
      clearTimeout(timer);
      return { code, out: stdout, err: stderr, lateMs: signalled === 0 ? 0 : performance.now() - signalled };
    },
    async assertNothingLeft(marker, outputs = []) {
      assert.deepEqual(readdirSync(state), [], "state directories");
      assert.deepEqual(readdirSync(out).sort(), [...outputs].sort(), "outputs");
      assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(directory), "mounts");
      // The kernel takes a moment to end what has been killed.
      for (let turn = 0; turn < 10 && findProcesses(directory, marker).length > 0; turn++) await sleep(50);
      assert.deepEqual(findProcesses(directory, marker), [], "processes");
    },
  };
}

/** Command lines of processes that hold on to a directory, or that name the marker. */
export function findProcesses(directory: string, marker: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const line = unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "), "");
    return line.includes(marker) || holds(pid, directory) ? [`${pid} ${line}`] : [];
  });
}

function holds(pid: string, directory: string): boolean {
  const names = ["root", "cwd", ...unlessGone(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) => `fd/${fd}`)];
  const links = names.map((name) => unlessGone(() => readlinkSync(`/proc/${pid}/${name}`), ""));
  return (
    links.some((link) => link.startsWith(directory)) ||
    unlessGone(() => readFileSync(`/proc/${pid}/mountinfo`, "utf8"), "").includes(directory)
  );
}

/** A process may end while it is looked at, or be somebody else's. */
function unlessGone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** Whether a registry has a tag. */
export async function hasTag(host: string, name: string, tag: string): Promise<boolean> {
  const response = await fetch(`http://${host}/v2/${name}/manifests/${tag}`, { method: "HEAD" });
  return response.ok;
}
