// Writes a layer through the helper's `pack`: it reads the files, hashes and compresses on all cores. See native/pack.c.

import type { Readable, Writable } from "node:stream";
import type { Helper } from "../helper/helper.ts";
import { isDigest } from "../image/digest.ts";
import { type Entry, toText } from "./entry.ts";
import { paddingOf } from "./header.ts";
import { changedFile, type PreparedItem, settleDigest, settleInline } from "./item.ts";
import type { PackedBytes, WrittenLayer } from "./write-layer.ts";
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
export async function writePacked(items: AsyncIterable<PreparedItem>, options: PackOptions): Promise<WrittenLayer> {
  const entries: Entry[] = [];
  const waiting: PreparedItem[] = [];
  return { ...(await pack((out) => sendItems(items, { out, entries, waiting }), waiting, options)), entries };
}

/** The same from a tar as it is. */
export function packBytes(tar: AsyncIterable<Uint8Array>, options: PackOptions): Promise<PackedBytes> {
  const send = async (out: FrameWriter) => {
    for await (const chunk of tar) {
      out.literal(chunk);
      if (out.isFull) await out.flush();
    }
  };
  return pack(send, [], options);
}

/** `waiting` are the files whose digests the helper will give, in order. */
async function pack(
  send: (out: FrameWriter) => Promise<void>,
  waiting: PreparedItem[],
  { helper, path, level, signal }: PackOptions,
): Promise<PackedBytes> {
  const stop = new AbortController();
  const child = helper.start(["pack", path, String(level)], {
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
  });
  const out = new FrameWriter(child.stdin, stop.signal);
  const sending = send(out)
    .then(() => out.end())
    .then(
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
  return answer;
}

/** Marks that the helper no longer listens; its exit tells why. */
const brokenPipe = new Error("Cannot write a layer: the helper ended early");

interface Sending {
  readonly out: FrameWriter;
  readonly entries: Entry[];
  readonly waiting: PreparedItem[];
}

async function sendItems(items: AsyncIterable<PreparedItem>, { out, entries, waiting }: Sending): Promise<void> {
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
}

const batchSize = 256 << 10;
/** A frame has a limit; see native/frame.h. */
const maxLiteral = 4 << 20;

/**
 * Joins frames, and literal bytes that follow each other, into writes that are worth a system call. Two buffers take turns: a new one
 * for each write would be garbage that the collector lets grow to tens of MiB.
 */
class FrameWriter {
  readonly #stdin: Writable;
  readonly #stopped: AbortSignal;
  #batch: Buffer = Buffer.allocUnsafe(batchSize);
  #other: Buffer = Buffer.allocUnsafe(batchSize);
  #otherIsFree: Promise<void> = Promise.resolve();
  #used = 0;
  /** Where the frame of literal bytes that is still open starts. */
  #literal: number | undefined;

  constructor(stdin: Writable, stopped: AbortSignal) {
    this.#stdin = stdin;
    this.#stopped = stopped;
  }

  get isFull(): boolean {
    return this.#used >= batchSize / 2;
  }

  literal(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 1 << 20) {
      const part = bytes.subarray(at, at + (1 << 20));
      if (this.#literal !== undefined && this.#used - this.#literal + part.length > maxLiteral) this.#close();
      if (this.#literal === undefined) {
        this.#literal = this.#room(5);
        this.#batch.writeUInt8(frames.literal, this.#literal + 4);
      }
      const to = this.#room(part.length);
      this.#batch.set(part, to);
    }
  }

  file(path: string, offset: number, size: number): void {
    this.#close();
    const length = 16 + 4 + path.length + 1;
    const at = this.#room(5 + length);
    this.#batch.writeUInt32LE(length, at);
    this.#batch.writeUInt8(frames.file, at + 4);
    this.#batch.writeBigUInt64LE(BigInt(offset), at + 5);
    this.#batch.writeBigUInt64LE(BigInt(size), at + 13);
    this.#batch.writeUInt32LE(path.length, at + 21);
    this.#batch.write(path, at + 25, "latin1");
    this.#batch.writeUInt8(0, at + 25 + path.length);
  }

  async end(): Promise<void> {
    this.#close();
    const at = this.#room(5);
    this.#batch.writeUInt32LE(0, at);
    this.#batch.writeUInt8(frames.end, at + 4);
    await this.flush();
    this.#stdin.end();
  }

  /** Resolves when there is room for more. */
  async flush(): Promise<void> {
    this.#close();
    this.#stopped.throwIfAborted();
    if (!this.#stdin.writable) throw brokenPipe;
    const free = this.#otherIsFree;
    const piece = this.#batch.subarray(0, this.#used);
    this.#otherIsFree = new Promise((resolve) => this.#stdin.write(piece, () => resolve()));
    [this.#batch, this.#other] = [this.#other, this.#batch];
    this.#used = 0;
    await free;
    if (this.#stdin.destroyed) throw brokenPipe;
  }

  #close(): void {
    if (this.#literal === undefined) return;
    this.#batch.writeUInt32LE(this.#used - this.#literal - 5, this.#literal);
    this.#literal = undefined;
  }

  #room(size: number): number {
    const at = this.#used;
    if (at + size > this.#batch.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#batch.length, at + size));
      this.#batch.copy(larger, 0, 0, at);
      this.#batch = larger;
    }
    this.#used = at + size;
    return at;
  }
}

async function readAnswers(stdout: Readable, waiting: PreparedItem[]): Promise<PackedBytes | undefined> {
  let result: PackedBytes | undefined;
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

function readResult(body: Buffer): PackedBytes {
  const diffId = `sha256:${body.toString("hex", 0, 32)}`;
  const digest = `sha256:${body.toString("hex", 32, 64)}`;
  if (!isDigest(diffId) || !isDigest(digest)) throw new Error(`Cannot write a layer: the helper's answer is ${body.length} bytes long`);
  return { diffId, digest, size: Number(body.readBigUInt64LE(64)), compressor: toText(body.toString("latin1", 72)) };
}
