// Runs one command and measures it: wall time, CPU time with all its children, and memory of its processes.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

export interface Measures {
  readonly exitCode: number | string;
  readonly log: string;
  /** Until the command ended, or until it said that the build is over. */
  readonly wallMs: number;
  /** Of it, until the builder's daemon answered; 0 where there is none. */
  readonly startMs: number;
  /** User and system time of the command and of every child it waited for. */
  readonly cpuMs: number;
  /** Largest of the processes that run `program`, as the kernel's high-water mark; 0 where none was seen. */
  readonly mainPeakBytes: number;
  /** Largest sum over the processes whose program is one of `own`, of what was resident at a moment. */
  readonly ownPeakBytes: number;
  /** The same over the command's whole process tree. Pages shared by several processes count in each. */
  readonly treePeakBytes: number;
}

export interface MeasureOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** File name of the main program. */
  readonly program: string;
  /** Begins the file names of the programs that are the builder's own, not a step's. */
  readonly own: readonly string[];
  /** After so long it is killed with all that it started. */
  readonly timeoutMs: number;
}

/** Often enough to see a peak, seldom enough to cost nothing that matters. */
const sampleMs = 20;

/** The shell tells its children's times when they have ended: Node does not. */
const script = '"$@"; code=$?; times >&3; exit $code';

/** The command may write `started` and `built` to descriptor 4. */
export function measure(command: readonly string[], { cwd, env, program, own, timeoutMs }: MeasureOptions): Promise<Measures> {
  const start = performance.now();
  const stdio = ["ignore", "pipe", "pipe", "pipe", "pipe"] as const;
  const child = spawn("sh", ["-c", script, "sh", ...command], { cwd, env, stdio: [...stdio], detached: true });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    for (const stream of child.stdio) stream?.destroy();
  }, timeoutMs);
  const peaks = { main: 0, own: 0, tree: 0 };
  const timer = setInterval(() => sample(child.pid ?? 0), sampleMs);
  function sample(root: number): void {
    let [ownBytes, treeBytes] = [0, 0];
    // The shell itself is not what is measured.
    for (const { name, resident, peak } of listTree(root).slice(1)) {
      treeBytes += resident;
      if (own.some((prefix) => name.startsWith(prefix))) ownBytes += resident;
      if (name === program) peaks.main = Math.max(peaks.main, peak);
    }
    peaks.own = Math.max(peaks.own, ownBytes);
    peaks.tree = Math.max(peaks.tree, treeBytes);
  }

  let log = "";
  let times = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (log += text));
  child.stdio[3]?.on("data", (text: Buffer) => (times += text.toString()));
  const marks = new Map<string, number>();
  child.stdio[4]?.on("data", (text: Buffer) => {
    for (const mark of text.toString().trim().split("\n")) marks.set(mark, performance.now() - start);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const wallMs = marks.get("built") ?? performance.now() - start;
      clearInterval(timer);
      clearTimeout(limit);
      const exitCode = isLate ? `nothing after ${timeoutMs / 1000} s` : (code ?? signal ?? "no exit code");
      const memory = { mainPeakBytes: peaks.main, ownPeakBytes: peaks.own, treePeakBytes: peaks.tree };
      resolve({ exitCode, log, wallMs, startMs: marks.get("started") ?? 0, cpuMs: parseTimes(times), ...memory });
    });
  });
}

/** Second line of `times`: user and system time of the children, as `1m2.34s`. */
export function parseTimes(text: string): number {
  const parts = [...(text.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)];
  return Math.round(parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000, 0));
}

interface ProcessSample {
  /** File name of what it runs. */
  readonly name: string;
  readonly resident: number;
  readonly peak: number;
}

/** A process and its descendants; those that end meanwhile are left out. */
export function listTree(pid: number): ProcessSample[] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const bytes = (field: string) => Number(new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
    const own = { name: basename(readlinkSync(`/proc/${pid}/exe`)), resident: bytes("VmRSS"), peak: bytes("VmHWM") };
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").split(" "),
    );
    return [own, ...children.filter((child) => child !== "").flatMap((child) => listTree(Number(child)))];
  } catch {
    return [];
  }
}
