// Hands out exact amounts of bytes from a stream of chunks of any size, and counts them against a limit.

/** What a layer may ask of its reader before it is refused; bytes count uncompressed, with the holes of sparse files. */
export interface ReadLimits {
  readonly maxEntries: number;
  /** Of one entry's extended header, long name or sparse map. */
  readonly maxHeaderBytes: number;
  /** Of all names, link targets and extended attributes together: they stay in memory. */
  readonly maxNameBytes: number;
  readonly maxBytes: number;
  /** Directories inside each other. */
  readonly maxDepth: number;
}

/** No real layer comes near these; each stops a bomb while it still fits in memory or time. */
export const defaultLimits: ReadLimits = {
  maxEntries: 2_000_000,
  maxHeaderBytes: 1 << 20,
  maxNameBytes: 512 << 20,
  maxBytes: 64 * 2 ** 30,
  maxDepth: 1024,
};

/** The bytes of a layer make no sense as what they should be, or ask for more than its reader gives. */
export class MalformedLayerError extends Error {
  override readonly name = "MalformedLayerError";
}

const nothing = Buffer.alloc(0);

/** The bytes of an archive, read by counts. */
export interface TarSource {
  /** Bytes handed out or skipped so far. */
  readonly position: number;
  /** `count` bytes; undefined where the stream ends right here; throws where it ends in between. */
  read(count: number): Promise<Buffer | undefined>;
  /** Whatever is at hand, at most `most` bytes and at least one; undefined at the end. */
  next(most: number): Promise<Buffer | undefined>;
  /** Skips up to `count` bytes and returns how many there were. */
  skip(count: number): Promise<number>;
  /** Passes over the next `size` bytes where they are known to be one content that can be used without being read. */
  hold?(size: number): Promise<HeldBytes | undefined>;
  /** Tells the stream that no more is wanted, so that it lets go of its resources. */
  close(): Promise<void>;
}

/** A content that stays with the helper. */
export interface HeldBytes {
  /** Where it is in the archive. */
  readonly offset: number;
  readonly size: number;
  /** Once the content has been put where it belongs: how many bytes of it there were, and their sha256, 64 hex digits; "" where nobody wants digests. */
  end(): Promise<HeldEnd> | HeldEnd;
}

export interface HeldEnd {
  readonly size: number;
  readonly sha256: string;
}

/** A stream that is read by counts. Buffers it hands out are views of the stream's chunks. */
export class ByteSource implements TarSource {
  position = 0;
  #chunk: Buffer = nothing;
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #maxBytes: number;
  #received = 0;
  #ended = false;

  constructor(stream: AsyncIterable<Uint8Array>, maxBytes: number) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#maxBytes = maxBytes;
  }

  async read(count: number): Promise<Buffer | undefined> {
    return this.#chunk.length >= count ? this.#take(count) : readWhole(this, count);
  }

  async next(most: number): Promise<Buffer | undefined> {
    while (this.#chunk.length === 0) if (!(await this.#fill())) return undefined;
    return this.#take(Math.min(most, this.#chunk.length));
  }

  async skip(count: number): Promise<number> {
    let left = count;
    while (left > 0) {
      const part = await this.next(left);
      if (part === undefined) break;
      left -= part.length;
    }
    return count - left;
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#iterator.return?.();
    this.#ended = true;
  }

  #take(count: number): Buffer {
    const part = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(count);
    this.position += count;
    return part;
  }

  async #fill(): Promise<boolean> {
    if (this.#ended) return false;
    const { done, value } = await this.#iterator.next();
    if (done) {
      this.#ended = true;
      return false;
    }
    this.#received += value.length;
    if (this.#received > this.#maxBytes) throw new MalformedLayerError(`Malformed layer: more than ${this.#maxBytes} bytes come out of it`);
    this.#chunk = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.length);
    return true;
  }
}

/** `count` bytes out of as many pieces as it takes. */
export async function readWhole(source: Pick<TarSource, "next" | "position">, count: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let missing = count;
  while (missing > 0) {
    const part = await source.next(missing);
    if (part === undefined) {
      if (missing === count) return undefined;
      throw new MalformedLayerError(`Malformed layer: it ends at byte ${source.position}, ${missing} bytes too early`);
    }
    parts.push(part);
    missing -= part.length;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts, count);
}
