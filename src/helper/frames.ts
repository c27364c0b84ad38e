// The messages that are exchanged with the native helper, as native/frame.h has them.

import type { Readable, Writable } from "node:stream";

const headerSize = 5;
const batchSize = 1 << 18;

/**
 * Gathers frames and writes them in large pieces. Between `begin` and `end` the fields of one frame are put. Two buffers take turns: a
 * new one for each piece would be garbage that the collector lets grow to tens of MiB.
 */
export class FrameWriter {
  readonly #stream: Writable;
  #batch: Buffer = Buffer.allocUnsafe(batchSize);
  #other: Buffer = Buffer.allocUnsafe(batchSize);
  #otherIsFree: Promise<void> | undefined;
  #used = 0;
  #frame = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  begin(kind: string): this {
    this.#frame = this.#used;
    const at = this.#room(headerSize);
    this.#batch[at + 4] = kind.charCodeAt(0);
    return this;
  }

  u8(value: number): this {
    this.#batch[this.#room(1)] = value;
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#batch.writeUInt32LE(value, at);
    return this;
  }

  u64(value: number): this {
    const at = this.#room(8);
    const high = Math.floor(value / 2 ** 32);
    this.#batch.writeUInt32LE(value - high * 2 ** 32, at);
    this.#batch.writeInt32LE(high, at + 4);
    return this;
  }

  /** As latin1. */
  text(value: string): this {
    const at = this.#room(value.length + 5);
    this.#batch.writeUInt32LE(value.length, at);
    this.#batch.write(value, at + 4, "latin1");
    this.#batch[at + 4 + value.length] = 0;
    return this;
  }

  bytes(chunks: readonly Uint8Array[]): this {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    let at = this.#room(size + 5);
    this.#batch.writeUInt32LE(size, at);
    at += 4;
    for (const chunk of chunks) {
      this.#batch.set(chunk, at);
      at += chunk.length;
    }
    this.#batch[at] = 0;
    return this;
  }

  /** As they are: what takes them knows from the frame how many there are. */
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#batch.set(bytes, at);
    return this;
  }

  /** Ends the frame; where there is a promise, the next one may begin when it resolves. */
  end(): Promise<void> | undefined {
    this.close();
    return this.isFull ? this.flush() : undefined;
  }

  /** Ends the frame, and leaves it to the caller to flush when there is enough. */
  close(): void {
    this.#batch.writeUInt32LE(this.#used - this.#frame - headerSize, this.#frame);
  }

  /** Whether what has gathered is worth a system call. */
  get isFull(): boolean {
    return this.#used >= batchSize / 2;
  }

  /** Where there is a promise, the next frame may begin when it resolves. */
  flush(): Promise<void> | undefined {
    const piece = this.#batch.subarray(0, this.#used);
    const free = this.#otherIsFree;
    // Called also where the stream breaks; whoever owns the stream hears why.
    this.#otherIsFree = new Promise((resolve) => this.#stream.write(piece, () => resolve()));
    [this.#batch, this.#other] = [this.#other, this.#batch];
    this.#used = 0;
    return free;
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

/** The frames of a stream, several at a time: each slice starts with its kind and lasts. */
export async function* readFrames(stream: Readable): AsyncGenerator<readonly Buffer[], void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= headerSize) {
      const end = at + headerSize + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      frames.push(bytes.subarray(at + headerSize - 1, end));
      at = end;
    }
    rest = bytes.subarray(at);
    if (frames.length > 0) yield frames;
  }
}

/** Takes the fields of one frame, after its kind. */
export class FrameReader {
  readonly #bytes: Buffer;
  #at = 1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u8(): number {
    this.#at += 1;
    return this.#bytes[this.#at - 1] ?? 0;
  }

  u32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  /** Signed, and exact up to 2^53. */
  u64(): number {
    this.#at += 8;
    return this.#bytes.readInt32LE(this.#at - 4) * 2 ** 32 + this.#bytes.readUInt32LE(this.#at - 8);
  }

  /** The next bytes as they are. */
  raw(size: number): string {
    this.#at += size;
    return this.#bytes.toString("latin1", this.#at - size, this.#at);
  }

  text(): string {
    const size = this.u32();
    const from = this.#at;
    this.#at += size + 1;
    return this.#bytes.toString("latin1", from, from + size);
  }
}
