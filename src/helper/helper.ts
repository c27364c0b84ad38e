// The small static program that does what Node.js cannot: found beside the bundle, verified, started.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { LastBytes } from "./last-bytes.ts";

export { FrameReader, FrameWriter, readFrames } from "./frames.ts";
export { order } from "./order.ts";
export { type HelperServer, ServerError, type ServerOptions, startServer } from "./server.ts";
export { helperGone, Session } from "./session.ts";

/** The program of native/, checked against dist/manifest.json. */
export interface Helper {
  /** Its verified file. */
  readonly path: string;
  /** It has other ids than the builder: what it makes may be beyond the builder's reach, and is removed by it. */
  readonly isForeign?: boolean;
  /**
   * Starts `slipway-helper ARGS` with an empty environment; stdin and stdout are pipes, `extraFds` become descriptors 3, 4, ….
   * An aborted signal kills it.
   */
  start(args: readonly string[], options?: HelperOptions): HelperProcess;
}

export interface HelperOptions {
  readonly signal?: AbortSignal | undefined;
  readonly extraFds?: readonly ("pipe" | number)[] | undefined;
}

export interface HelperProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** What the extra descriptors are on this side, in their order: a stream where a pipe was asked for, else null. */
  readonly fds: readonly (Readable | Writable | null)[];
  /** Ends it, by SIGKILL. */
  kill(): void;
  /** Rejects when the program could not be started at all; otherwise resolves whatever its end was. */
  readonly exited: Promise<HelperExit>;
}

export interface HelperExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last 64 KiB of what it wrote to stderr. */
  readonly stderr: string;
}

const architectures: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** The folder of the committed binaries: beside the bundle, or dist/ when the sources run as they are. */
const folder = new URL(import.meta.url.endsWith("/src/helper/helper.ts") ? "../../dist/" : "./", import.meta.url);

/**
 * Opens the helper for this machine; undefined where there is none for its architecture.
 * Throws when the file is missing or is not the one that the manifest names.
 */
export async function openHelper(): Promise<Helper | undefined> {
  const architecture = architectures[process.arch];
  if (process.platform !== "linux" || architecture === undefined) return undefined;
  const name = `slipway-helper-${architecture}`;
  await verifyFile(folder, name);
  const path = fileURLToPath(new URL(name, folder));
  return { path, start: (args, options = {}) => startHelper(path, args, options) };
}

const recorders: ReadonlySet<string> = new Set(["apply", "unpack", "scan"]);

/** The same, but what it puts on disk and finds there has owners by records, for who may not make files other users': native/record.h. */
export function recordOwners(helper: Helper): Helper {
  const start: Helper["start"] = ([command = "", ...args], options) =>
    helper.start(recorders.has(command) ? [command, "--record", ...args] : [command, ...args], options);
  return { ...helper, start };
}

/** Writes the helper for this machine to a new file, verified, that its owner alone may read and execute. Throws as `openHelper` does. */
export async function copyHelper(to: string): Promise<void> {
  await writeFile(to, await verifyFile(folder, `slipway-helper-${architectures[process.arch]}`), { flag: "wx", mode: 0o500 });
}

/** Checks one file of a folder against the folder's manifest.json and gives its bytes; throws when it is another or missing. */
export async function verifyFile(directory: URL, name: string): Promise<Buffer> {
  const file = fileURLToPath(new URL(name, directory));
  const read = async (path: string) => {
    try {
      return await readFile(path);
    } catch (cause) {
      throw new Error(`Cannot use "${file}": "${path}" cannot be read; run \`node scripts/native.ts\` or install Slipway again`, { cause });
    }
  };
  const manifest = JSON.parse((await read(fileURLToPath(new URL("manifest.json", directory)))).toString());
  const bytes = await read(file);
  const expected: { size: number; sha256: string } | undefined = manifest.files?.[name];
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (expected?.size !== bytes.length || expected.sha256 !== actual)
    throw new Error(
      `Cannot use "${file}": its sha256 is ${actual}, manifest.json says ${expected?.sha256 ?? "nothing"}; install Slipway again`,
    );
  return bytes;
}

function startHelper(path: string, args: readonly string[], { signal, extraFds = [] }: HelperOptions): HelperProcess {
  const child = spawn(path, args, { env: {}, stdio: ["pipe", "pipe", "pipe", ...extraFds], signal, killSignal: "SIGKILL" });
  const stdio = child.stdio as readonly (Readable | Writable | null)[];
  const errors = new LastBytes();
  child.stderr?.on("data", (chunk: Buffer) => errors.add(chunk));
  const exited = new Promise<HelperExit>((resolve, reject) => {
    child.once("close", (code, killed) => resolve({ code, signal: killed, stderr: errors.text() }));
    child.once("error", (cause) => {
      if (child.pid === undefined) reject(new Error(`Cannot start the helper "${path}": ${cause.message}`, { cause }));
    });
  });
  exited.catch(() => {});
  // A helper that ended early breaks its pipe; `exited` tells why, and better.
  child.stdin?.on("error", () => {});
  return {
    stdin: stdio[0] as Writable,
    stdout: stdio[1] as Readable,
    fds: stdio.slice(3),
    kill: () => void child.kill("SIGKILL"),
    exited,
  };
}
