// What a host may know of the process it runs in. Here alone are the environment and the working directory read.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { isatty } from "node:tty";
import type { Clock } from "../report/plain.ts";
import { type LogStream, systemClock } from "../report/renderer.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The process, or a test's idea of one. */
export interface Surroundings {
  /** The name that the program was called by, without its folder. */
  readonly program: string;
  /** The command line without program and script. */
  readonly args: readonly string[];
  readonly env: Environment;
  /** The working directory, absolute. */
  readonly directory: string;
  /** What is there to be read; undefined at a terminal, where nothing is. */
  readonly stdin: (() => AsyncIterable<Uint8Array>) | undefined;
  readonly stdout: { write(text: string): void };
  readonly stderr: LogStream;
  readonly clock: Clock;
  /** The text of a file; undefined where there is none that can be read. */
  readFile(path: string): string | undefined;
  /** The same as bytes. */
  readBytes(path: string): Uint8Array | undefined;
  fileExists(path: string): boolean;
  isSocket(path: string): boolean;
  /** Makes a directory for this user alone, its parents as usual; gives its path, `prefix` and some letters. */
  makeDirectory(prefix: string): string;
  removeDirectory(path: string): Promise<void>;
  /** The same for a process that is about to end, and that cannot wait for anything. */
  removeDirectoryNow(path: string): void;
  /** Calls for SIGINT, SIGTERM, SIGHUP, and for errors that nobody caught, from now to the end of the process. */
  onTrouble(listener: (trouble: Trouble) => void): void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export type Trouble = { readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP" } | { readonly error: unknown };

// What still writes there has been told to end, and does so within moments.
const removal = 'for i in 1 2 3 4 5; do rm -rf --one-file-system -- "$0" && exit; sleep 0.1; done';

function readOrNothing(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** This process. */
export function ownProcess(): Surroundings {
  // A reader that has gone away is no reason to stop a build.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  return {
    program: basename(process.argv[1] ?? ""),
    args: process.argv.slice(2),
    env: process.env,
    directory: process.cwd(),
    // Node makes the stream, and may not be able to, when it is first looked at.
    stdin: isatty(0) ? undefined : () => process.stdin,
    stdout: { write: (text) => void process.stdout.write(text) },
    stderr: {
      write: (text) => void process.stderr.write(text),
      isTerminal: process.stderr.isTTY === true && process.env.TERM !== "dumb",
      columns: () => (process.stderr.isTTY === true ? process.stderr.columns : undefined),
    },
    clock: systemClock,
    readFile: (path) => readOrNothing(path)?.toString("utf8"),
    readBytes: readOrNothing,
    fileExists: existsSync,
    isSocket: (path) => statSync(path, { throwIfNoEntry: false })?.isSocket() === true,
    makeDirectory(prefix) {
      makeParents(dirname(prefix));
      return mkdtempSync(prefix);
    },
    removeDirectory: (path) => rm(path, { recursive: true, force: true }),
    removeDirectoryNow: (path) => void spawnSync("sh", ["-c", removal, path], { stdio: "ignore", timeout: 3_000 }),
    onTrouble(listener) {
      const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => ({ signal, listener: () => listener({ signal }) }));
      const crash = (error: unknown) => listener({ error });
      for (const one of signals) process.on(one.signal, one.listener);
      process.on("uncaughtException", crash);
    },
    exit: (code) => process.exit(code),
  };
}

// Not Node's `recursive`, which never ends in /proc.
function makeParents(directory: string): void {
  if (existsSync(directory)) return;
  makeParents(dirname(directory));
  mkdirSync(directory);
}
