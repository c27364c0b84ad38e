// Makes what goes into a layer ready to be written: header, checked content, and the index entry it will have.

import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { ContentHash } from "./content-hash.ts";
import { type Content, type Entry, type GrowingEntry, type LayerItem, type RawPath, toBytes, toText } from "./entry.ts";
import { encodeEntry, storedEntry } from "./write-tar.ts";

/** A file was not, while its layer was written, what it was when the step began. */
export class ContentChangedError extends Error {
  override readonly name = "ContentChangedError";
}

/** Paths whose content an index keeps, so that users can be looked up without unpacking anything. */
export const keptTexts: ReadonlySet<RawPath> = new Set(["etc/passwd", "etc/group"]);
/** Longer ones are not kept. */
export const maxKeptText = 10 << 20;

/** An item on its way into a layer; a file's entry learns its digest only when the content passes, and `expected` is the digest its content must have. */
export interface PreparedItem {
  readonly entry: GrowingEntry;
  readonly header: Buffer;
  readonly content: Content | undefined;
  readonly expected: string | undefined;
}

/** Checks an item and encodes its header. The texts that an index keeps are read at once, so that index and layer agree. */
export function prepareItem({ entry, content }: LayerItem, clampMtime: number | undefined): PreparedItem {
  const stored = storedEntry(entry, clampMtime);
  const header = encodeEntry(stored);
  const size = content === undefined ? 0 : content.kind === "bytes" ? content.bytes.length : content.size;
  if (size !== stored.size)
    throw new Error(`Cannot write "${toText(entry.path)}" to a layer: it has ${size} bytes of content, not ${stored.size}`);
  if (stored.type !== "file") return { entry: stored, header, content: undefined, expected: undefined };
  const bytes = readKept(stored, content);
  if (bytes !== undefined) stored.text = bytes.toString("latin1");
  const held: Content | undefined = bytes === undefined ? content : { kind: "bytes", bytes };
  return { entry: stored, header, content: size === 0 ? undefined : held, expected: entry.sha256 };
}

/** What an index will say of an item, but for its digest. */
export function announceItem({ entry, content }: LayerItem, clampMtime: number | undefined): Entry {
  const stored = storedEntry(entry, clampMtime);
  const bytes = readKept(stored, content);
  if (bytes !== undefined) stored.text = bytes.toString("latin1");
  return stored;
}

/** The content of a file whose text an index keeps. */
function readKept({ type, path, size }: Entry, content: Content | undefined): Buffer | undefined {
  if (type !== "file" || !keptTexts.has(path) || size > maxKeptText) return undefined;
  if (content === undefined) return Buffer.alloc(0);
  return content.kind === "bytes" ? Buffer.from(content.bytes) : Buffer.concat([...readRange(content)]);
}

/** Notes the digest of an item's content; throws where another was expected. */
export function settleDigest(item: PreparedItem, sha256: string): void {
  if (item.expected !== undefined && item.expected !== sha256)
    throw new ContentChangedError(`Cannot write "${toText(item.entry.path)}" to a layer: the context changed while building`);
  item.entry.sha256 = sha256;
}

const sha256OfNothing = hash("sha256", "", "hex");

/** Notes the digest where the content is empty or in memory; false where a file has to be read for it. */
export function settleInline(item: PreparedItem): boolean {
  if (item.content === undefined) settleDigest(item, sha256OfNothing);
  else if (item.content.kind === "bytes") settleDigest(item, hash("sha256", item.content.bytes, "hex"));
  else return false;
  return true;
}

// Synchronous: a call costs a few microseconds, a turn through Node's thread pool many times that, and layers have many small files.
/** The bytes of a local file's range. Throws a ContentChangedError where the file is gone, replaced or too short. */
export function* readRange(range: Extract<Content, { kind: "file" }>): Generator<Buffer, void, void> {
  let handle: number;
  try {
    handle = openSync(toBytes(range.path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw contentFailure(range.path, cause as NodeJS.ErrnoException);
  }
  try {
    if (!fstatSync(handle).isFile()) throw changedFile(range.path);
    for (let done = 0; done < range.size; ) {
      const buffer = Buffer.allocUnsafe(Math.min(range.size - done, 256 << 10));
      const count = readSync(handle, buffer, 0, buffer.length, range.offset + done);
      if (count === 0) throw changedFile(range.path);
      done += count;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(handle);
  }
}

/** After as many bytes others get their turn. */
const turnBytes = 4 << 20;

/** The sha256 of a content, 64 hex digits. Throws as reading a layer's files does. */
export async function digestContent(content: Content): Promise<string> {
  if (content.kind === "bytes") return hash("sha256", content.bytes, "hex");
  const digest = new ContentHash(content.size);
  let sinceTurn = 0;
  for await (const chunk of content.read?.() ?? readRange(content)) {
    digest.update(chunk);
    sinceTurn += chunk.length;
    if (sinceTurn < turnBytes) continue;
    sinceTurn = 0;
    await setImmediate();
  }
  return digest.digest();
}

/** The error for a file that is not as it was announced. */
export function changedFile(path: RawPath, cause?: unknown): ContentChangedError {
  const text = `Cannot read "${toText(path)}": the context changed while building`;
  return new ContentChangedError(text, cause === undefined ? {} : { cause });
}

function contentFailure(path: RawPath, cause: NodeJS.ErrnoException): Error {
  const isReplaced = cause.code === "ENOENT" || cause.code === "ENOTDIR" || cause.code === "ELOOP";
  return isReplaced ? changedFile(path, cause) : new Error(`Cannot read "${toText(path)}": ${cause.message}`, { cause });
}
