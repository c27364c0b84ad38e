// Writes a layer through the helper's `pack`: it reads the files, hashes and compresses on all cores. See native/pack.c.

import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Helper } from "../helper/helper.ts";
import { isDigest } from "../image/digest.ts";
import { type Entry, toText } from "./entry.ts";
import { paddingOf } from "./header.ts";
import { changedFile, type PreparedItem, settleDigest, settleInline } from "./item.ts";
import type { WrittenLayer } from "./write-layer.ts";
import { trailer } from "./write-tar.ts";

export interface PackOptions {
  readonly helper: Helper;
  /** Of a file that is not there yet. */
  readonly path: string;
  readonly level: number;
  readonly signal: AbortSignal | undefined;
}

/** Frames to the helper. */
const frames = { literal: 1, file: 2, end: 3 } as const;
/** Frames from it. */
const answers = { digests: 1, result: 2, changed: 3 } as const;

/** Writes a new file at `path`. */
export async function writePacked(items: AsyncIterable<PreparedItem>, { helper, path, level, signal }: PackOptions): Promise<WrittenLayer> {
  const stop = new AbortController();
  const child = helper.start(["pack", path, String(level)], {
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
  });
  const entries: Entry[] = [];
  const waiting: PreparedItem[] = [];
  const sending = sendItems(items, { stdin: child.stdin, entries, waiting, stopped: stop.signal }).then(
    () => undefined,
    (reason: unknown) => {
      if (reason !== brokenPipe) stop.abort();
      return reason;
    },
  );
  const answer = await readAnswers(child.stdout, waiting).catch((reason: unknown) => {
    stop.abort();
    return { failure: reason };
  });
  // What went wrong on this side made the helper fail too; told the other way round it would be no help.
  const failure = await sending;
  const exit = await child.exited;
  signal?.throwIfAborted();
  if (answer !== undefined && "failure" in answer) throw answer.failure;
  if (failure !== undefined && failure !== brokenPipe) throw failure;
  if (answer === undefined || exit.code !== 0)
    throw new Error(`Cannot write a layer: ${exit.stderr || `the helper ended with ${exit.signal ?? `exit code ${exit.code}`}`}`);
  return { ...answer, entries };
}

/** Marks that the helper no longer listens; its exit tells why. */
const brokenPipe = new Error("Cannot write a layer: the helper ended early");

interface Sending {
  readonly stdin: Writable;
  readonly entries: Entry[];
  /** Files whose digests the helper will give, in order. */
  readonly waiting: PreparedItem[];
  readonly stopped: AbortSignal;
}

async function sendItems(items: AsyncIterable<PreparedItem>, { stdin, entries, waiting, stopped }: Sending): Promise<void> {
  const out = new FrameWriter(stdin, stopped);
  for await (const item of items) {
    entries.push(item.entry);
    out.literal(item.header);
    if (item.entry.type === "file") {
      const { content } = item;
      if (settleInline(item)) {
        if (content?.kind === "bytes") out.literal(content.bytes);
      } else if (content?.kind === "file") {
        waiting.push(item);
        out.file(content.path, content.offset, content.size);
      }
      out.literal(trailer.subarray(0, paddingOf(item.entry.size)));
    }
    if (out.isFull) await out.flush();
  }
  out.literal(trailer);
  out.end();
  await out.flush();
  stdin.end();
}

/** Joins frames, and literal bytes that follow each other, into writes that are worth a system call. */
class FrameWriter {
  readonly #stdin: Writable;
  readonly #stopped: AbortSignal;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  /** Literal bytes at the end of #parts whose frame is not closed, and their frame's header. */
  #literal = 0;
  #literalHeader: Buffer = Buffer.alloc(0);

  constructor(stdin: Writable, stopped: AbortSignal) {
    this.#stdin = stdin;
    this.#stopped = stopped;
  }

  get isFull(): boolean {
    return this.#bytes >= 128 << 10;
  }

  literal(bytes: Uint8Array): void {
    // A frame has a limit; see native/frame.h.
    for (let at = 0; at < bytes.length; at += 1 << 20) {
      const part = bytes.subarray(at, at + (1 << 20));
      if (this.#literal === 0 || this.#literal + part.length > 4 << 20) {
        this.#close();
        this.#literalHeader = Buffer.alloc(5);
        this.#add(this.#literalHeader);
      }
      this.#add(part);
      this.#literal += part.length;
    }
  }

  file(path: string, offset: number, size: number): void {
    this.#close();
    const bytes = Buffer.from(path, "latin1");
    const frame = Buffer.alloc(5 + 16 + 4 + bytes.length + 1);
    frame.writeUInt32LE(frame.length - 5, 0);
    frame.writeUInt8(frames.file, 4);
    frame.writeBigUInt64LE(BigInt(offset), 5);
    frame.writeBigUInt64LE(BigInt(size), 13);
    frame.writeUInt32LE(bytes.length, 21);
    frame.set(bytes, 25);
    this.#add(frame);
  }

  end(): void {
    this.#close();
    this.#add(Buffer.from([0, 0, 0, 0, frames.end]));
  }

  async flush(): Promise<void> {
    this.#close();
    const batch = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.#stopped.throwIfAborted();
    if (!this.#stdin.writable) throw brokenPipe;
    if (this.#stdin.write(batch)) return;
    // "close" comes instead of "drain" where the helper has ended.
    const settled = new AbortController();
    try {
      await Promise.race([once(this.#stdin, "drain", settled), once(this.#stdin, "close", settled)]);
    } catch {
      throw brokenPipe;
    } finally {
      settled.abort();
    }
    if (this.#stdin.destroyed) throw brokenPipe;
  }

  #add(part: Uint8Array): void {
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  #close(): void {
    if (this.#literal === 0) return;
    this.#literalHeader.writeUInt32LE(this.#literal, 0);
    this.#literalHeader.writeUInt8(frames.literal, 4);
    this.#literal = 0;
  }
}

type Result = Omit<WrittenLayer, "entries">;

async function readAnswers(stdout: Readable, waiting: PreparedItem[]): Promise<Result | undefined> {
  let result: Result | undefined;
  let rest: Buffer = Buffer.alloc(0);
  let answered = 0;
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const length = rest.length < 5 ? 0 : rest.readUInt32LE(0);
      if (rest.length < 5 + length) break;
      const body = rest.subarray(5, 5 + length);
      if (rest[4] === answers.digests) {
        for (let at = 0; at < length; at += 32) settleDigest(mustWait(waiting, answered++), body.toString("hex", at, at + 32));
        // What is answered need not be kept.
        if (answered >= 1024) answered -= waiting.splice(0, answered).length;
      } else if (rest[4] === answers.result) result = readResult(body);
      else if (rest[4] === answers.changed) throw changedFile(body.toString("latin1"));
      rest = rest.subarray(5 + length);
    }
  }
  return result;
}

function mustWait(waiting: readonly PreparedItem[], index: number): PreparedItem {
  const item = waiting[index];
  if (item === undefined) throw new Error("Cannot write a layer: the helper answered more than it was asked");
  return item;
}

function readResult(body: Buffer): Result {
  const diffId = `sha256:${body.toString("hex", 0, 32)}`;
  const digest = `sha256:${body.toString("hex", 32, 64)}`;
  if (!isDigest(diffId) || !isDigest(digest)) throw new Error(`Cannot write a layer: the helper's answer is ${body.length} bytes long`);
  return { diffId, digest, size: Number(body.readBigUInt64LE(64)), compressor: toText(body.toString("latin1", 72)) };
}
