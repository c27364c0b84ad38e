// The helper as a server: it does its commands with rights that the builder has not. See native/serve.c.

import { type ChildProcess, spawn } from "node:child_process";
import { type FileHandle, open } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { constants } from "node:os";
import type { Helper, HelperExit, HelperOptions, HelperProcess } from "./helper.ts";
import { LastBytes } from "./last-bytes.ts";

export interface HelperServer {
  /** Its `start` has the server start the process. */
  readonly helper: Helper;
  /** Ends all that still runs, removes `rubbish` in the place of what was named first, and resolves when the server is gone. */
  close(rubbish: readonly string[]): Promise<void>;
}

export interface ServerOptions {
  /** An existing directory that nobody else may enter. It is the server's current directory and has its socket. */
  readonly directory: string;
  /** The program and its arguments; a relative path starts in the directory. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute paths that the server removes when it ends, as it does when the builder is killed. */
  readonly rubbish: readonly string[];
  readonly path: string;
}

/** The server could not be started; the message is what it or the program in front of it said. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  /** As spawn(2) has it where the program could not be started. */
  readonly code: string | undefined;
  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

const ready = "slipway-helper ready\n";
/** sudo may ask something far away who we are. */
const patienceMs = 30_000;

/** Throws a ServerError. */
export async function startServer(options: ServerOptions): Promise<HelperServer> {
  const { directory, command, env, rubbish, path } = options;
  const handle = await open(directory, "r");
  // By descriptor: no renaming of a directory above leads to another, and a socket's path may be 107 bytes long.
  const here = `/proc/self/fd/${handle.fd}`;
  const child = spawn(command[0], command.slice(1), { cwd: here, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()).once("error", () => resolve()));
  try {
    await awaitReady(child);
    const server = new Server(`${here}/socket`);
    const life = await server.live(rubbish);
    return {
      helper: { path, isForeign: true, start: (args, startOptions = {}) => server.start(args, startOptions) },
      async close(last) {
        (await server.live(last)).destroySoon();
        await ended;
        life.destroy();
        await handle.close();
      },
    };
  } catch (error) {
    child.kill("SIGKILL");
    await closeQuietly(handle);
    throw error;
  }
}

async function closeQuietly(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => {});
}

async function awaitReady(child: ChildProcess): Promise<void> {
  const errors = new LastBytes();
  child.stderr?.on("data", (chunk: Buffer) => errors.add(chunk));
  let said = "";
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new ServerError(`no answer within ${patienceMs / 1000} s`)), patienceMs);
    const settle = (error?: ServerError) => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    };
    child.stdout?.setEncoding("latin1").on("data", (text: string) => {
      said = (said + text).slice(-4096);
      if (said.includes(ready)) settle();
    });
    child.once("error", (cause: NodeJS.ErrnoException) => settle(new ServerError(cause.message, cause.code)));
    child.once("close", (code, signal) => settle(new ServerError(errors.text() || `it ended with ${signal ?? `exit code ${code}`}`)));
  });
}

class Server {
  readonly #socket: string;
  #count = 0;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** A connection that lasts as long as the builder. */
  live(rubbish: readonly string[]): Promise<Socket> {
    const life = this.#connect("L", 0, Buffer.from(rubbish.map((path) => `${path}\0`).join("")));
    // It is there to be noticed at its end, and keeps nobody waiting.
    life.unref();
    return new Promise((resolve, reject) => {
      life.once("connect", () => resolve(life.on("error", () => {})));
      life.once("error", reject);
    });
  }

  start(args: readonly string[], { signal, extraFds = [] }: HelperOptions): HelperProcess {
    this.#count += 1;
    const number = this.#count;
    const streams = Array.from({ length: 3 + extraFds.length }, (_, i) => this.#connect(String(i), number));
    const control = this.#connect("C", number, Buffer.from([streams.length, ...Buffer.from(args.map((word) => `${word}\0`).join(""))]));
    const [stdin, stdout, stderr, ...fds] = streams as [Socket, Socket, Socket, ...Socket[]];
    const errors = new LastBytes();
    stderr.on("data", (chunk: Buffer) => errors.add(chunk));
    // What comes out of there is nothing; but the end must be seen.
    stdin.resume();
    const kill = () => void control.write("K");
    signal?.addEventListener("abort", kill, { once: true });
    if (signal?.aborted) kill();
    const exited = awaitStatus(control).then(async (status): Promise<HelperExit> => {
      signal?.removeEventListener("abort", kill);
      stdin.destroy();
      for (const stream of streams) if (!stream.readableFlowing && stream.listenerCount("readable") === 0) stream.resume();
      await Promise.all(streams.map((stream) => (stream.closed ? undefined : new Promise((resolve) => stream.once("close", resolve)))));
      return { ...status, stderr: errors.text() };
    });
    exited.catch(() => {});
    return { stdin, stdout, fds, kill, exited };
  }

  #connect(role: string, number: number, more: Uint8Array = Buffer.alloc(0)): Socket {
    const head = Buffer.alloc(9);
    head.writeUInt8(role.charCodeAt(0), 0);
    head.writeUInt32LE(number, 1);
    head.writeUInt32LE(more.length, 5);
    const socket = createConnection(this.#socket);
    // A server that is gone breaks all connections; that of the status tells.
    socket.on("error", () => {});
    socket.write(Buffer.concat([head, more]));
    return socket;
  }
}

/** A wait status as waitpid(2) gives it. */
async function awaitStatus(control: Socket): Promise<{ readonly code: number | null; readonly signal: string | null }> {
  const chunks: Buffer[] = [];
  control.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => control.once("close", resolve));
  const answer = Buffer.concat(chunks);
  if (answer.length < 4) return { code: null, signal: "the end of its server" };
  const status = answer.readUInt32LE(0);
  const number = status & 0x7f;
  return number === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal: nameOfSignal(number) };
}

function nameOfSignal(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}
