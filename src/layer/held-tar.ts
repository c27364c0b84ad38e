// A layer's tar in the hands of the helper: what is no content passes here, contents stay there. See native/unpack.c and native/walk.h.

import { open } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { FrameReader, type Helper, helperGone, readFrames, Session } from "../helper/helper.ts";
import type { Compression, Layer } from "../image/image.ts";
import { expandZstd, sniffCompression } from "./decompress.ts";
import { HeldInput } from "./held-input.ts";
import { ByteSource, type HeldBytes, type HeldEnd, MalformedLayerError, readWhole, type TarSource } from "./source.ts";
import { DigestMismatchError } from "./verify.ts";

export interface HeldTarOptions {
  readonly helper: Helper;
  /** An existing directory in which files can be written; nothing is written where it is left out. */
  readonly root?: string;
  /** Whether somebody wants the digests of contents. */
  readonly digests: boolean;
  /** Of the tar; more is refused. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts to take a layer apart. All bytes are verified: those of a file by the helper, and all others here. The helper takes what
 * `apply` takes as well, also when the layer has been read; who opened it ends its session.
 */
export async function openHeldTar(layer: Layer, options: HeldTarOptions): Promise<HeldTar> {
  const { helper, root = "", digests, maxBytes, signal } = options;
  const ofFile = layer.file === undefined ? undefined : await compressionOf(layer.file);
  const file = ofFile === "zstd" ? undefined : layer.file;
  const input = file === undefined ? await expandZstd(layer.open(signal), { signal, maxBytes }) : undefined;
  const form = (input?.compression ?? ofFile) === "gzip" ? "gzip" : "plain";
  const extraFds = input === undefined ? (["pipe"] as const) : (["pipe", "pipe"] as const);
  const session = new Session(helper.start(["unpack", root, file ?? "", form, digests ? "1" : "0"], { signal, extraFds }));
  const { stdout, fds } = session.process;
  return new HeldTar(layer, session, maxBytes, input && new HeldInput(input.bytes, fds[1] as Writable, stdout));
}

async function compressionOf(file: string): Promise<Compression> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return sniffCompression(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** Bytes that the helper keeps until they have been used or passed over. */
interface Segment {
  readonly size: number;
  left: number;
  isWanted: boolean;
  /** Of bytes that are not all there yet it is told later. */
  readonly sha256: string | undefined;
}

const kinds = { bytes: "I", kept: "P", passing: "B", passed: "E", end: "Z" } as const;
const faults: Readonly<Record<number, string>> = { 1: "end too early", 2: "are damaged" };
const nothing = Buffer.alloc(0);

export class HeldTar implements TarSource {
  position = 0;
  readonly session: Session;
  readonly #layer: Layer;
  readonly #maxBytes: number;
  readonly #input: HeldInput | undefined;
  readonly #events: AsyncIterator<readonly Buffer[]>;
  readonly #wanted: ByteSource;
  #batch: readonly Buffer[] = [];
  #at = 0;
  /** What comes next: bytes, or else a segment. */
  #bytes: Buffer = nothing;
  #segment: Segment | undefined;
  /** What is left of a piece that comes from a segment. */
  #piece = 0;
  #received = 0;
  #hasEnded = false;

  /** The helper reads the layer's file where there is no input. */
  constructor(layer: Layer, session: Session, maxBytes: number, input: HeldInput | undefined) {
    this.session = session;
    this.#layer = layer;
    this.#maxBytes = maxBytes;
    this.#input = input;
    this.#events = readFrames(session.process.stdout)[Symbol.asyncIterator]();
    this.#wanted = new ByteSource(session.process.fds[0] as Readable, Number.POSITIVE_INFINITY);
  }

  read(count: number): Promise<Buffer | undefined> {
    return this.#bytes.length >= count ? Promise.resolve(this.#take(count)) : readWhole(this, count);
  }

  async next(most: number): Promise<Buffer | undefined> {
    while (await this.#fill()) {
      if (this.#segment === undefined) return this.#take(Math.min(most, this.#bytes.length));
      const chunk = await this.#fetch(this.#segment, most);
      if (chunk !== undefined) return chunk;
      this.#segment = undefined;
    }
    return undefined;
  }

  async skip(count: number): Promise<number> {
    let left = count;
    while (left > 0 && (await this.#fill())) {
      const segment = this.#segment;
      if (segment === undefined) left -= this.#take(Math.min(left, this.#bytes.length)).length;
      else if (segment.isWanted || segment.left > left) left -= (await this.next(left))?.length ?? 0;
      else left -= (await this.#pass(segment)).size;
    }
    return count - left;
  }

  async hold(size: number): Promise<HeldBytes | undefined> {
    await this.#fill();
    const segment = this.#segment;
    if (segment === undefined || segment.isWanted || segment.left !== size || segment.size !== size) return undefined;
    const offset = this.position;
    let ended: HeldEnd | Promise<HeldEnd> | undefined;
    const end = () => {
      ended ??= this.#pass(segment);
      return ended;
    };
    return { offset, size, end };
  }

  async close(): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#input?.close();
    for (const stream of [this.session.process.stdout, ...this.session.process.fds]) stream?.destroy();
  }

  #take(count: number): Buffer {
    const part = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    this.position += count;
    return part;
  }

  /** Asks for a segment's bytes and gives the next of them; undefined where the tar ends before the segment does. */
  async #fetch(segment: Segment, most: number): Promise<Buffer | undefined> {
    if (!segment.isWanted) {
      segment.isWanted = true;
      this.session.frames.begin("G").u64(this.position).u64(segment.left).end();
      await this.session.frames.flush();
    }
    if (this.#piece === 0) this.#piece = (await this.#wanted.read(4))?.readUInt32LE() ?? 0;
    const chunk = this.#piece === 0 ? undefined : await this.#wanted.next(Math.min(most, this.#piece));
    if (chunk === undefined) return undefined;
    this.#piece -= chunk.length;
    segment.left -= chunk.length;
    this.position += chunk.length;
    if (segment.left === 0) this.#segment = undefined;
    return chunk;
  }

  /** Passes over a whole segment. */
  #pass(segment: Segment): HeldEnd | Promise<HeldEnd> {
    this.#segment = undefined;
    const { size, sha256 } = segment;
    // So far nothing is needed any more: where somebody has use for it, the helper knows already.
    this.position += size;
    return sha256 === undefined ? this.#passRest(size) : { size, sha256 };
  }

  async #passRest(announced: number): Promise<HeldEnd> {
    const reader = new FrameReader(await this.#nextFrame());
    const end = { size: reader.u64(), sha256: hexOf(reader.raw(32)) };
    this.position -= announced - end.size;
    // Its compression may be what is wrong with it.
    if (end.size < announced) await this.#fill();
    return end;
  }

  /** Gets hold of more bytes or of a segment where there are none at hand; false at the end. */
  async #fill(): Promise<boolean> {
    while (this.#bytes.length === 0 && this.#segment === undefined) {
      if (this.#hasEnded) return false;
      const frame = await this.#nextFrame();
      const kind = String.fromCharCode(frame[0] ?? 0);
      if (kind === kinds.end) await this.#end(frame);
      else if (kind === kinds.bytes) {
        this.#bytes = frame.subarray(1);
        this.#receive(this.#bytes.length);
      } else if (kind === kinds.kept || kind === kinds.passing) {
        const reader = new FrameReader(frame);
        const size = kind === kinds.kept ? reader.u32() : reader.u64();
        const sha256 = kind === kinds.kept ? hexOf(reader.raw(32)) : undefined;
        this.#segment = { size, left: size, isWanted: false, sha256 };
        this.#receive(size);
      }
    }
    return true;
  }

  #receive(size: number): void {
    this.#received += size;
    if (this.#received > this.#maxBytes) throw new MalformedLayerError(`Malformed layer: more than ${this.#maxBytes} bytes come out of it`);
  }

  async #nextFrame(): Promise<Buffer> {
    while (this.#at === this.#batch.length) {
      this.session.frames.begin("K").u64(this.position).end();
      await this.session.frames.flush();
      const { done, value } = await this.#events.next();
      if (done === true) throw helperGone;
      [this.#batch, this.#at] = [value, 0];
    }
    const frame = this.#batch[this.#at++];
    if (frame === undefined) throw helperGone;
    return frame;
  }

  /** All has passed: now it is known whether it was what it should be. */
  async #end(frame: Buffer): Promise<void> {
    const reader = new FrameReader(frame);
    const fault = faults[reader.u8()];
    const why = reader.text();
    const tar = `sha256:${hexOf(reader.raw(32))}`;
    const blob = `sha256:${hexOf(reader.raw(32))}`;
    const { descriptor, diffId } = this.#layer;
    if (this.#input === undefined && blob !== descriptor.digest) throw wrongDigest(descriptor.digest, blob);
    if (fault !== undefined) throw new MalformedLayerError(`Malformed layer: its compressed bytes ${fault} (${why})`);
    await this.#input?.done;
    if (tar !== diffId) throw wrongDigest(diffId, tar);
    this.#hasEnded = true;
  }
}

function wrongDigest(expected: string, found: string): DigestMismatchError {
  return new DigestMismatchError(`Cannot read blob "${expected}": its bytes have the digest ${found}`);
}

function hexOf(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("hex");
}
