// Writes a layer through the helper's `pack`: it reads the files, hashes and compresses on all cores. See native/pack.c.

import type { Readable, Writable } from "node:stream";
import { FrameWriter, type Helper, readFrames } from "../helper/helper.ts";
import { isDigest } from "../image/digest.ts";
import { ContentHash } from "./content-hash.ts";
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

/** Writes a new file at `path`. */
export async function writePacked(items: AsyncIterable<PreparedItem>, options: PackOptions): Promise<WrittenLayer> {
  const entries: Entry[] = [];
  const waiting: PreparedItem[] = [];
  return { ...(await pack((out) => sendItems(items, { out, entries, waiting }), waiting, options)), entries };
}

/** The same from a tar as it is. */
export function packBytes(tar: AsyncIterable<Uint8Array>, options: PackOptions): Promise<PackedBytes> {
  const send = async (out: PackWriter) => {
    for await (const chunk of tar) await out.literal(chunk);
  };
  return pack(send, [], options);
}

/** `waiting` are the files whose digests the helper will give, in order. */
async function pack(
  send: (out: PackWriter) => Promise<void>,
  waiting: PreparedItem[],
  { helper, path, level, signal }: PackOptions,
): Promise<PackedBytes> {
  const stop = new AbortController();
  const child = helper.start(["pack", path, String(level)], {
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
  });
  const out = new PackWriter(child.stdin, stop.signal);
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
  readonly out: PackWriter;
  readonly entries: Entry[];
  readonly waiting: PreparedItem[];
}

async function sendItems(items: AsyncIterable<PreparedItem>, { out, entries, waiting }: Sending): Promise<void> {
  for await (const item of items) {
    entries.push(item.entry);
    out.add(item.header);
    if (item.entry.type === "file") {
      const { content } = item;
      if (settleInline(item)) {
        if (content?.kind === "bytes") await out.literal(content.bytes);
      } else if (content?.kind === "file" && content.read !== undefined) {
        const hash = new ContentHash(content.size);
        for await (const chunk of content.read()) {
          hash.update(chunk);
          await out.literal(chunk);
        }
        settleDigest(item, hash.digest());
      } else if (content?.kind === "file") {
        waiting.push(item);
        out.file(content.path, content.offset, content.size);
      }
      out.add(trailer.subarray(0, paddingOf(item.entry.size)));
    }
    if (out.isFull) await out.flush();
  }
  out.add(trailer);
}

/** Longer contents are sent in pieces. */
const maxPiece = 64 << 10;

/** Joins literal bytes that follow each other into one frame. */
class PackWriter {
  readonly #stdin: Writable;
  readonly #frames: FrameWriter;
  readonly #stopped: AbortSignal;
  /** Whether a frame of literal bytes has begun. */
  #isLiteral = false;

  constructor(stdin: Writable, stopped: AbortSignal) {
    this.#stdin = stdin;
    this.#frames = new FrameWriter(stdin);
    this.#stopped = stopped;
  }

  get isFull(): boolean {
    return this.#frames.isFull;
  }

  /** Literal bytes, not many. */
  add(bytes: Uint8Array): void {
    if (!this.#isLiteral) this.#frames.begin("L");
    this.#isLiteral = true;
    this.#frames.raw(bytes);
  }

  /** Literal bytes, any number of them. */
  async literal(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += maxPiece) {
      this.add(bytes.subarray(at, at + maxPiece));
      if (this.isFull) await this.flush();
    }
  }

  file(path: string, offset: number, size: number): void {
    this.#close();
    this.#frames.begin("F").u64(offset).u64(size).text(path).close();
  }

  async end(): Promise<void> {
    this.#close();
    this.#frames.begin("Z").close();
    await this.flush();
    this.#stdin.end();
  }

  /** Resolves when there is room for more. */
  async flush(): Promise<void> {
    this.#close();
    this.#stopped.throwIfAborted();
    if (!this.#stdin.writable) throw brokenPipe;
    await this.#frames.flush();
    if (this.#stdin.destroyed) throw brokenPipe;
  }

  #close(): void {
    if (this.#isLiteral) this.#frames.close();
    this.#isLiteral = false;
  }
}

async function readAnswers(stdout: Readable, waiting: PreparedItem[]): Promise<PackedBytes | undefined> {
  let result: PackedBytes | undefined;
  let answered = 0;
  for await (const frames of readFrames(stdout)) {
    for (const frame of frames) {
      const [kind, body] = [String.fromCharCode(frame[0] ?? 0), frame.subarray(1)];
      if (kind === "d") {
        for (let at = 0; at < body.length; at += 32) settleDigest(mustWait(waiting, answered++), body.toString("hex", at, at + 32));
        // What is answered need not be kept.
        if (answered >= 1024) answered -= waiting.splice(0, answered).length;
      } else if (kind === "r") result = readResult(body);
      else if (kind === "c") throw changedFile(body.toString("latin1"));
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
