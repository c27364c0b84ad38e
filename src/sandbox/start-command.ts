// Hands one command to the helper's `run` and says how it ended: native/run.h has the messages.

import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import type { Helper } from "../helper/helper.ts";
import { toBytes } from "../layer/entry.ts";
import type { ReadyMount } from "./prepare-mounts.ts";
import type { Command } from "./sandbox.ts";

/** Where the command's root comes from; absolute paths. */
export type Place =
  /** `lowers` from the top to the bottom; `work` and `stage` are empty directories, `upper` takes what changes. */
  | {
      readonly kind: "namespaces";
      readonly lowers: readonly string[];
      readonly upper: string;
      readonly work: string;
      readonly stage: string;
      /** Within a user namespace; overlayfs then keeps its marks in `user.overlay.*`. */
      readonly user?: UserNamespace;
    }
  /** `scratch` is an empty directory of the same file system; it holds rubbish afterwards. A supervisor serves /proc, /sys and devices. */
  | { readonly kind: "chroot"; readonly root: string; readonly scratch: string; readonly supervised: boolean }
  /** What `root` holds takes the place of this container's own files, but for those at `keeps`, and comes back afterwards. */
  | { readonly kind: "in-place"; readonly root: string; readonly scratch: string; readonly keeps: readonly string[] };

export interface UserNamespace {
  /** `shared` where a fresh /proc is refused: the command sees the /proc of this container. */
  readonly processes: "own" | "shared";
  /**
   * `all` that this user has, or the command's user alone, in whose place this one stands: root may then seem to give files away, and with
   * `recorded` that is written down beside `upper`.
   */
  readonly ids: "all" | "one" | "recorded";
}

export interface StartOptions {
  readonly helper: Helper;
  /** Path in the root → file that the command sees there, and that never becomes part of the root. */
  readonly files: Readonly<Record<string, string>>;
  /** The same, where their directories are there. */
  readonly filesInPlace?: Readonly<Record<string, string>>;
  /** In the order in which they are put in place; the command's own list is not looked at. */
  readonly mounts?: readonly ReadyMount[];
  readonly signal: AbortSignal;
  /** Device nodes cannot be made; with the error's number. */
  onMissingDevices?(errno: number): void;
  /** The command, in place, has made or removed something in a directory that is this container's own. */
  onWritten?(path: string): void;
}

export interface Ending {
  readonly exitCode: number;
  readonly signal?: string;
}

/** The helper could not set the sandbox up; the message is its own. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

const kinds = {
  namespaces: 1,
  chroot: 2,
  lower: 3,
  argument: 4,
  variable: 5,
  place: 6,
  user: 7,
  file: 8,
  go: 9,
  bind: 10,
  tmpfs: 11,
  content: 12,
  userNamespace: 13,
  inPlace: 14,
  kept: 15,
} as const;
const idMaps = { all: 0, one: 1, recorded: 2 } as const;
const answers = { ended: 1, refused: 2, noDevice: 3, written: 5 } as const;
const refusals = { notFound: 1, interpreter: 2, execute: 3, directory: 4 } as const;

/** Longer than the helper takes to end a thousand processes, far shorter than the 5 s in which everything must be gone. */
const killAfterMs = 3000;

/**
 * Runs a command and resolves when nothing of it is left. Without arguments everything is set up and nothing is run. Rejects with a
 * SandboxError where it cannot be set up, and with the signal's reason, once all is gone, when that aborts.
 */
export async function startCommand(command: Command, place: Place, options: StartOptions): Promise<Ending> {
  const { helper, signal } = options;
  signal.throwIfAborted();
  const child = helper.start(["run"], { extraFds: ["pipe", "pipe"] });
  let last: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    child.stdin.end();
    last = setTimeout(() => child.kill(), killAfterMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const [output, errors] = child.fds as [Readable, Readable];
    output.on("data", command.stdout);
    errors.on("data", command.stderr);
    write(child.stdin, command, place, options);
    const [ending, exit] = await Promise.all([readAnswers(child.stdout, command, options), child.exited]);
    signal.throwIfAborted();
    if (ending !== undefined) return ending;
    throw new SandboxError(exit.stderr || `Cannot run: the helper ended with ${exit.signal ?? exit.code}`);
  } finally {
    clearTimeout(last);
    signal.removeEventListener("abort", stop);
    child.stdin.end();
  }
}

function write(stdin: Writable, command: Command, place: Place, { files, filesInPlace = {}, mounts = [] }: StartOptions): void {
  const send = (kind: number, ...fields: Buffer[]) => {
    const size = fields.reduce((sum, field) => sum + field.length, 0);
    const head = Buffer.alloc(5);
    head.writeUInt32LE(size);
    head[4] = kind;
    stdin.write(Buffer.concat([head, ...fields]));
  };
  stdin.cork();
  if (place.kind === "in-place") {
    send(kinds.inPlace, text(place.root), text(place.scratch));
    for (const path of place.keeps) send(kinds.kept, text(path));
  } else if (place.kind === "chroot") send(kinds.chroot, text(place.root), text(place.scratch), flag(place.supervised));
  else {
    send(kinds.namespaces, text(place.upper), text(place.work), text(place.stage));
    if (place.user !== undefined) send(kinds.userNamespace, flag(place.user.processes === "shared"), Buffer.from([idMaps[place.user.ids]]));
    for (const lower of place.lowers) send(kinds.lower, text(lower));
  }
  for (const argument of command.args) send(kinds.argument, text(argument));
  for (const variable of command.env) send(kinds.variable, text(variable));
  send(kinds.place, text(command.cwd), text(command.hostname), Buffer.from([command.network === "none" ? 1 : 0]));
  const { uid, gid, groups } = command.user;
  send(kinds.user, numbers(uid, gid, groups.length, ...groups));
  for (const [path, source] of Object.entries(files)) send(kinds.file, text(path), text(source), flag(false));
  for (const [path, source] of Object.entries(filesInPlace)) send(kinds.file, text(path), text(source), flag(true));
  for (const mount of mounts) send(kinds[mount.kind], text(mount.target), ...fieldsOf(mount));
  send(kinds.go);
  stdin.uncork();
}

function fieldsOf(mount: ReadyMount): Buffer[] {
  if (mount.kind === "bind") return [text(mount.directory), bytesField(toBytes(mount.below)), flag(mount.writable)];
  if (mount.kind === "content") return [numbers(mount.mode, mount.uid, mount.gid), flag(mount.executable), bytesField(mount.bytes)];
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(mount.size));
  return [size, flag(mount.writable)];
}

function flag(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0]);
}

function text(value: string): Buffer {
  if (value.includes("\0")) throw new SandboxError(`Cannot run ${JSON.stringify(value)}: it holds a NUL`);
  return bytesField(Buffer.from(value));
}

function bytesField(bytes: Uint8Array): Buffer {
  return Buffer.concat([numbers(bytes.length), bytes, Buffer.from([0])]);
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
}

async function readAnswers(stdout: Readable, command: Command, options: StartOptions): Promise<Ending | undefined> {
  let ending: Ending | undefined;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32LE(0)) {
      const size = rest.readUInt32LE(0);
      const body = rest.subarray(5, 5 + size);
      switch (rest[4]) {
        case answers.noDevice:
          options.onMissingDevices?.(body.readUInt32LE(0));
          break;
        case answers.written:
          options.onWritten?.(body.toString("utf8", 4, body.length - 1));
          break;
        case answers.ended:
          ending = readStatus(body.readUInt32LE(0));
          break;
        case answers.refused:
          ending = explainRefusal(command, body.readUInt8(0), body.readUInt32LE(1));
          break;
        default:
          throw new SandboxError(`Cannot understand the helper: message ${rest[4]} is unknown`);
      }
      rest = rest.subarray(5 + size);
    }
  }
  return ending;
}

/** A wait status as waitpid(2) gives it. */
function readStatus(status: number): Ending {
  const number = status & 0x7f;
  if (number === 0) return { exitCode: (status >> 8) & 0xff };
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
  return { exitCode: 128 + number, signal: name };
}

/** Ends as runc does, and tells the reader of the log why the command did not even start. */
function explainRefusal({ args, cwd, stderr }: Command, refusal: number, errno: number): Ending {
  const program = args[0] ?? "";
  const quoted = JSON.stringify(program);
  const reason = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `error ${errno}`;
  const [exitCode, why] = ((): [number, string] => {
    switch (refusal) {
      case refusals.directory:
        return [127, `cannot enter the working directory ${JSON.stringify(cwd)}: ${reason}`];
      case refusals.interpreter:
        return [127, `exec: ${quoted}: the interpreter that it names, or the loader that it was linked for, is not in the image`];
      case refusals.execute:
        return [
          126,
          `exec: ${quoted}: ${reason === "ENOEXEC" ? "not a program for this machine (ENOEXEC)" : `cannot be executed (${reason})`}`,
        ];
      default:
        return [
          127,
          program.includes("/") ? `exec: ${quoted}: no such file in the image` : `exec: ${quoted}: executable file not found in $PATH`,
        ];
    }
  })();
  const hint =
    refusal === refusals.notFound && program === "/bin/sh"
      ? '; RUN in shell form needs a shell: use the exec form, RUN ["program"], or SHELL'
      : "";
  stderr(Buffer.from(`${why}${hint}\n`));
  return { exitCode };
}
