// Reads tar archives: entries in their order, extended headers applied, sparse files filled up.

import type { Entry, EntryType, RawPath } from "./entry.ts";
import { blockSize, type Header, isZeroBlock, paddingOf, parseHeader } from "./header.ts";
import { checkTarget, normalizeName } from "./name.ts";
import { type PaxRecords, parseDecimal, parsePax, parseTime, xattrsOf } from "./pax.ts";
import { ByteSource, defaultLimits, type HeldBytes, MalformedLayerError, type ReadLimits, type TarSource } from "./source.ts";
import { readOldMap, readPaxMap, type SparseMap } from "./sparse.ts";

/** An entry with its content, which can be read once and only until the next entry is asked for; what is left of it is skipped. */
export interface TarEntry {
  readonly entry: Entry;
  readonly content: TarContent;
}

export interface TarContent extends AsyncIterable<Uint8Array> {
  /** Instead of reading it: leaves the whole content with the helper, where it is there. `end` is to be called once it has been put where it belongs. */
  hold(): Promise<HeldBytes | undefined>;
}

const types: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

const zeros = Buffer.alloc(64 << 10);
// The highest id is -1 to the kernel: "leave as it is".
const maxId = 0xfffffffe;

/**
 * The entries of an uncompressed archive: V7, ustar, PAX and GNU. Names are relative to the root; `..` stops there. The stream is read to its end, also past the
 * archive's trailer, so that whoever verifies it sees all of it. Throws a MalformedLayerError for all that is no such archive.
 */
export function readTar(stream: AsyncIterable<Uint8Array>, limits: ReadLimits = defaultLimits): AsyncGenerator<TarEntry, void, void> {
  return readEntries(new ByteSource(stream, limits.maxBytes), limits);
}

/** The same of a source, which is closed at the end. */
export async function* readEntries(source: TarSource, limits: ReadLimits): AsyncGenerator<TarEntry, void, void> {
  const totals = { entries: 0, nameBytes: 0, bytes: 0 };
  try {
    for (;;) {
      const next = await readEntry(source, limits);
      if (next === undefined) break;
      countEntry(totals, next, limits);
      yield next;
      await next.content.finish();
    }
    await source.skip(Number.POSITIVE_INFINITY);
  } finally {
    await source.close();
  }
}

function countEntry(totals: { entries: number; nameBytes: number; bytes: number }, { entry }: TarEntry, limits: ReadLimits): void {
  totals.entries += 1;
  totals.bytes += entry.size;
  totals.nameBytes += entry.path.length + entry.link.length;
  for (const [name, value] of entry.xattrs ?? []) totals.nameBytes += name.length + value.length;
  if (totals.entries > limits.maxEntries) throw new MalformedLayerError(`Malformed layer: it has more than ${limits.maxEntries} entries`);
  if (totals.bytes > limits.maxBytes) throw new MalformedLayerError(`Malformed layer: more than ${limits.maxBytes} bytes come out of it`);
  if (totals.nameBytes > limits.maxNameBytes)
    throw new MalformedLayerError(`Malformed layer: its names and attributes take more than ${limits.maxNameBytes} bytes`);
}

/** What headers before an entry's own say about it. */
interface Extension {
  pax?: PaxRecords | undefined;
  name?: RawPath;
  link?: RawPath;
}

async function readEntry(source: TarSource, limits: ReadLimits): Promise<{ entry: Entry; content: Content } | undefined> {
  let extension: Extension = {};
  for (;;) {
    const at = source.position;
    const block = await source.read(blockSize);
    if (block === undefined || isZeroBlock(block)) {
      if (extension.pax || extension.name !== undefined || extension.link !== undefined)
        throw new MalformedLayerError(`Malformed layer: an extended header at its end, byte ${at}, belongs to no entry`);
      if (block !== undefined) await checkTrailer(source);
      return undefined;
    }
    let name = "";
    try {
      const header = parseHeader(block);
      name = header.name;
      if (header.size < 0) throw new MalformedLayerError(`size is ${header.size}`);
      switch (header.flag) {
        case "x":
        case "X":
          extension = { ...extension, pax: parsePax(await readBody(source, header, limits)) };
          break;
        case "g":
          // Go's reader, hence BuildKit, forgets what came before a global header, and applies nothing of it.
          extension = {};
          await skipBody(source, header);
          break;
        case "L":
          extension = { ...extension, name: upToNul(await readBody(source, header, limits)) };
          break;
        case "K":
          extension = { ...extension, link: upToNul(await readBody(source, header, limits)) };
          break;
        case "V":
          await skipBody(source, header);
          break;
        default:
          return await makeEntry({ block, header, extension, source, limits });
      }
    } catch (error) {
      if (!(error instanceof MalformedLayerError) || error.message.startsWith("Malformed layer")) throw error;
      const where = name === "" ? "" : ` (${JSON.stringify(Buffer.from(name, "latin1").toString())})`;
      throw new MalformedLayerError(`Malformed layer: ${error.message}, in the entry at byte ${at}${where}`, { cause: error });
    }
  }
}

async function checkTrailer(source: TarSource): Promise<void> {
  const second = await source.read(blockSize);
  if (second !== undefined && !isZeroBlock(second))
    throw new MalformedLayerError("Malformed layer: a lone zero block stands between entries");
}

async function readBody(source: TarSource, header: Header, limits: ReadLimits): Promise<Buffer> {
  if (header.size > limits.maxHeaderBytes)
    throw new MalformedLayerError(`extended header of ${header.size} bytes, more than ${limits.maxHeaderBytes}`);
  const body = header.size === 0 ? Buffer.alloc(0) : await source.read(header.size);
  if (body === undefined) throw new MalformedLayerError("it ends in the middle of an extended header");
  await source.skip(paddingOf(header.size));
  return body;
}

async function skipBody(source: TarSource, header: Header): Promise<void> {
  const whole = header.size + paddingOf(header.size);
  if ((await source.skip(whole)) !== whole) throw new MalformedLayerError("it ends in the middle of an extended header");
}

function upToNul(body: Buffer): RawPath {
  const end = body.indexOf(0);
  return body.toString("latin1", 0, end < 0 ? body.length : end);
}

interface Parts {
  readonly block: Buffer;
  readonly header: Header;
  readonly extension: Extension;
  readonly source: TarSource;
  readonly limits: ReadLimits;
}

async function makeEntry({ block, header, extension, source, limits }: Parts): Promise<{ entry: Entry; content: Content }> {
  const values = extension.pax?.values;
  // An empty value takes a record back: what the header says holds.
  const record = (key: string) => values?.get(key) || undefined;
  const name = record("GNU.sparse.name") ?? extension.name ?? record("path") ?? header.name;
  const isLegacyDirectory = header.flag === "\0" && name.endsWith("/");
  const type = isLegacyDirectory ? "directory" : types[header.flag];
  if (type === undefined) throw new MalformedLayerError(`entry type ${JSON.stringify(header.flag)} is unknown`);

  const path = normalizeName(name, limits.maxDepth);
  if (path === "" && type !== "directory") throw new MalformedLayerError(`a ${type} stands where the root directory is`);
  const target = extension.link ?? record("linkpath") ?? header.link;
  const link = type === "symlink" ? checkTarget(target) : type === "hardlink" ? normalizeName(target, limits.maxDepth) : "";
  if (type === "hardlink" && link === "") throw new MalformedLayerError("a hard link to the root");

  const time = record("mtime");
  const { seconds, nanoseconds } = time === undefined ? { seconds: header.mtime, nanoseconds: 0 } : parseTime(time);
  const sizeText = record("size");
  const announced = sizeText === undefined ? header.size : parseDecimal(sizeText, "size");
  // Only files have content; others may state a size all the same.
  const stored = type === "file" ? announced : 0;
  const place = { source, maxHeaderBytes: limits.maxHeaderBytes, stored };
  const map =
    type !== "file"
      ? undefined
      : header.flag === "S"
        ? await readOldMap(block, place)
        : extension.pax && (await readPaxMap(extension.pax, place));
  const xattrs = extension.pax && xattrsOf(extension.pax);
  const entry: Entry = {
    path,
    type,
    mode: header.mode & 0o7777,
    uid: parseId(record("uid"), header.uid, "uid"),
    gid: parseId(record("gid"), header.gid, "gid"),
    mtime: seconds,
    mtimeNs: nanoseconds,
    size: map?.size ?? stored,
    link,
    devMajor: header.devMajor,
    devMinor: header.devMinor,
    ...(xattrs === undefined ? {} : { xattrs }),
  };
  return { entry, content: new Content(source, entry, map, paddingOf(stored)) };
}

function parseId(text: string | undefined, fallback: number, what: string): number {
  const id = text === undefined ? fallback : parseDecimal(text, what);
  if (id < 0 || id > maxId) throw new MalformedLayerError(`${what} ${id} is out of range`);
  return id;
}

/** The content of one entry while the archive stands at it. */
class Content implements TarContent {
  readonly #source: TarSource;
  readonly #entry: Entry;
  readonly #map: SparseMap | undefined;
  readonly #padding: number;
  #left: number;
  #isTaken = false;
  #held: HeldBytes | undefined;

  constructor(source: TarSource, entry: Entry, map: SparseMap | undefined, padding: number) {
    this.#source = source;
    this.#entry = entry;
    this.#map = map;
    this.#padding = padding;
    this.#left = map?.stored ?? entry.size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    if (this.#isTaken) throw new Error(`Cannot read ${this.#name()} again: the archive has moved on`);
    this.#isTaken = true;
    if (this.#map === undefined) return yield* this.#data(this.#left);
    let at = 0;
    for (let i = 0; i < this.#map.pieces.length; i += 2) {
      const [offset = 0, length = 0] = [this.#map.pieces[i], this.#map.pieces[i + 1]];
      yield* this.#hole(offset - at);
      yield* this.#data(length);
      at = offset + length;
    }
    yield* this.#hole(this.#map.size - at);
  }

  async hold(): Promise<HeldBytes | undefined> {
    if (this.#isTaken || this.#map !== undefined || this.#left === 0) return undefined;
    const held = await this.#source.hold?.(this.#left);
    if (held === undefined) return undefined;
    this.#isTaken = true;
    this.#held = held;
    this.#left = 0;
    return held;
  }

  /** Skips what was not read, and the padding after it. */
  async finish(): Promise<void> {
    this.#isTaken = true;
    if (this.#held !== undefined) this.#left = this.#held.size - (await this.#held.end()).size;
    else this.#left -= await this.#source.skip(this.#left);
    if (this.#left > 0) throw this.#tooShort();
    // The last padding of an archive is missing at times.
    if (this.#padding > 0) await this.#source.skip(this.#padding);
  }

  async *#data(length: number): AsyncGenerator<Uint8Array, void, void> {
    for (let left = length; left > 0; ) {
      const chunk = await this.#next(left);
      left -= chunk.length;
      yield chunk;
    }
  }

  async *#hole(length: number): AsyncGenerator<Uint8Array, void, void> {
    for (let left = length; left > 0; left -= zeros.length) yield left < zeros.length ? zeros.subarray(0, left) : zeros;
  }

  async #next(most: number): Promise<Buffer> {
    if (this.#left === 0) throw new Error(`Cannot read ${this.#name()}: the archive has moved on`);
    const chunk = await this.#source.next(most);
    if (chunk === undefined) throw this.#tooShort();
    this.#left -= chunk.length;
    return chunk;
  }

  #tooShort(): MalformedLayerError {
    const missing = `${this.#left} bytes before the end of ${this.#name()}`;
    return new MalformedLayerError(`Malformed layer: it ends at byte ${this.#source.position}, ${missing}`);
  }

  #name(): string {
    return JSON.stringify(Buffer.from(this.#entry.path, "latin1").toString());
  }
}
