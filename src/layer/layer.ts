// Layers as entries: reads them, writes them, and keeps their bytes.

import { rm } from "node:fs/promises";
import type { Helper } from "../helper/helper.ts";
import { mediaTypes } from "../image/encode.ts";
import type { Layer } from "../image/image.ts";
import { type Blobs, openBlobs } from "./blobs.ts";
import { checkLevel, openCompressor } from "./compress.ts";
import { ContentHash } from "./content-hash.ts";
import { decompress } from "./decompress.ts";
import { type Entry, type LayerIndex, type LayerItem, makeEntry } from "./entry.ts";
import { type HeldTar, openHeldTar } from "./held-tar.ts";
import { decodeIndex, encodeIndex, type IndexSink, openIndexWriter } from "./index-file.ts";
import { announceItem, ContentChangedError, digestContent, keptTexts, maxKeptText, type PreparedItem, prepareItem } from "./item.ts";
import { packBytes, writePacked } from "./pack.ts";
import { MissingProgramError, runProgram, usualPath } from "./program.ts";
import { readEntries, readTar, type TarContent } from "./read-tar.ts";
import { defaultLimits, type HeldBytes, MalformedLayerError, type ReadLimits } from "./source.ts";
import { DigestMismatchError, verifyBytes } from "./verify.ts";
import { encodeItems, type PackedBytes, writeBytesHere, writeHere } from "./write-layer.ts";

export {
  type Blobs,
  ContentChangedError,
  checkLevel,
  DigestMismatchError,
  decodeIndex,
  decompress,
  defaultLimits,
  digestContent,
  encodeIndex,
  type HeldBytes,
  type HeldTar,
  type IndexSink,
  keptTexts,
  MalformedLayerError,
  MissingProgramError,
  openBlobs,
  openHeldTar,
  openIndexWriter,
  type ReadLimits,
  readTar,
  runProgram,
  type TarContent,
  usualPath,
  verifyBytes,
};

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: ReadLimits;
}

/** Takes the entries of a layer as they pass. What it leaves of a content is read all the same. */
export interface Visitor {
  entry(entry: Entry, content: TarContent): Promise<void> | void;
}

/**
 * Reads a layer once, from its compressed bytes to the contents of its files. What the visitor was shown may be used only when the promise resolves: before that the
 * bytes are not verified. Throws a MalformedLayerError or a DigestMismatchError that names the layer. `tar` is the layer in the hands of the helper, and has not been read.
 */
export async function readLayer(layer: Layer, visitor: Visitor, options: ReadOptions & { readonly tar?: HeldTar } = {}): Promise<void> {
  const { signal, limits = defaultLimits, tar } = options;
  try {
    const entries = tar === undefined ? readTar(expandedBytes(layer, { signal, limits }), limits) : readEntries(tar, limits);
    for await (const { entry, content } of entries) {
      const taken = visitor.entry(entry, content);
      if (taken !== undefined) await taken;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw faultOf(layer, error);
  }
}

function expandedBytes(layer: Layer, { signal, limits }: Required<ReadOptions>): AsyncIterable<Uint8Array> {
  return verifyBytes(decompress(layer.open(signal), { signal, maxBytes: limits.maxBytes }), { digest: layer.diffId });
}

/** What is wrong with a layer's bytes names the layer. */
function faultOf({ descriptor }: Layer, error: unknown): unknown {
  const isFault = error instanceof MalformedLayerError || error instanceof DigestMismatchError;
  if (!isFault) return error;
  const Fault = error instanceof MalformedLayerError ? MalformedLayerError : DigestMismatchError;
  return new Fault(`Cannot read layer "${descriptor.digest}": ${error.message}`, { cause: error });
}

/** Reads a layer for its index alone; with the helper this process sees no contents. */
export async function indexLayer(
  layer: Layer,
  { helper, ...options }: ReadOptions & { readonly helper?: Helper | undefined } = {},
): Promise<LayerIndex> {
  const entries: Entry[] = [];
  const visitor: Visitor = {
    async entry(entry, content) {
      entries.push(entry.type === "file" ? withSummary(entry, await summarizeContent(entry, content)) : entry);
    },
  };
  if (helper === undefined) await readLayer(layer, visitor, options);
  else await readHeld(layer, visitor, { ...options, helper });
  return { diffId: layer.diffId, entries };
}

async function readHeld(layer: Layer, visitor: Visitor, options: ReadOptions & { readonly helper: Helper }): Promise<void> {
  const { signal, limits = defaultLimits, helper } = options;
  const tar = await openHeldTar(layer, { helper, digests: true, maxBytes: limits.maxBytes, signal });
  try {
    await readLayer(layer, visitor, { ...options, tar });
    await tar.session.finish("read a layer");
  } catch (error) {
    if (signal?.aborted) await tar.session.fail(signal.reason).catch(() => {});
    signal?.throwIfAborted();
    await tar.session.fail(error);
  }
}

/** What an index keeps of a file's content: its digest, and of the files that users are looked up in the text. */
export type ContentSummary = Pick<Entry, "text"> & Required<Pick<Entry, "sha256">>;

/**
 * Reads the content of an entry of type "file" for what an index keeps of it; `take` gets it first, and may leave some or all of it. What the helper holds is not read
 * where an index keeps the digest alone.
 */
export async function summarizeContent(
  entry: Entry,
  content: TarContent,
  take: (content: AsyncIterable<Uint8Array> | HeldBytes) => Promise<void> | void = () => {},
): Promise<ContentSummary> {
  const kept: Uint8Array[] | undefined = keptTexts.has(entry.path) && entry.size <= maxKeptText ? [] : undefined;
  const held = kept === undefined ? await content.hold() : undefined;
  if (held !== undefined) {
    await take(held);
    return { sha256: (await held.end()).sha256 };
  }
  const hash = new ContentHash(entry.size);
  const chunks = observe(content, (chunk) => {
    hash.update(chunk);
    kept?.push(chunk);
  });
  await take({ [Symbol.asyncIterator]: () => leaveOpen(chunks) });
  for (let next = await chunks.next(); !next.done; next = await chunks.next());
  const sha256 = hash.digest();
  return kept === undefined ? { sha256 } : { sha256, text: Buffer.concat(kept).toString("latin1") };
}

/** An entry of type "file" with what is known of its content. */
export function withSummary(entry: Entry, { sha256, text }: ContentSummary): Entry {
  const known = makeEntry(entry.path, entry, entry.xattrs, sha256);
  if (text !== undefined) known.text = text;
  return known;
}

async function* observe(stream: AsyncIterable<Uint8Array>, see: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of stream) {
    see(chunk);
    yield chunk;
  }
}

// Whoever breaks out of its loop must not end the stream: the rest is still to be hashed.
function leaveOpen(chunks: AsyncGenerator<Uint8Array, void, void>): AsyncIterator<Uint8Array> {
  return { next: () => chunks.next() };
}

export interface WriteOptions {
  readonly blobs: Blobs;
  readonly compression: "gzip" | "zstd";
  /** gzip 0 to 9, by default 6; zstd 1 to 22, by default 3. */
  readonly level?: number | undefined;
  /** Compresses gzip better and on all cores; without it this process does, with other bytes. */
  readonly helper: Helper | undefined;
  /** Seconds since 1970; later times become this. */
  readonly clampMtime?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Throws what `writeLayer` would throw for the compression alone: a level that there is not, zstd where nothing here knows it. */
export async function checkCompression(compression: "gzip" | "zstd", level: number | undefined): Promise<void> {
  await openCompressor(compression, level);
}

/**
 * Writes items, in their order, as a layer and stores it. Each content is read once. The tar's bytes depend on the items alone, the blob's also on the compressor, which
 * is named by `compressor`. Throws a ContentChangedError where a file is no longer what its entry says.
 */
export async function writeLayer(
  items: Iterable<LayerItem> | AsyncIterable<LayerItem>,
  options: WriteOptions,
): Promise<{ readonly layer: Layer; readonly index: LayerIndex; readonly compressor: string }> {
  const { compression, helper, signal, clampMtime } = options;
  const level = checkLevel(compression, options.level);
  const prepared = prepareItems(items, clampMtime, signal);
  const { written, layer } = await storeLayer(options, async (path) =>
    helper !== undefined && compression === "gzip"
      ? writePacked(prepared, { helper, path, level, signal })
      : writeHere(prepared, { path, compressor: await openCompressor(compression, level), signal }),
  );
  return { layer, index: { diffId: layer.diffId, entries: written.entries }, compressor: written.compressor };
}

/**
 * Writes a layer anew in another compression, and stores it: the bytes are those that `writeLayer` would have made of its items. Throws as `readLayer` does where it is not
 * what it should be.
 */
export async function recompressLayer(
  old: Layer,
  options: Omit<WriteOptions, "clampMtime">,
): Promise<{ readonly layer: Layer; readonly compressor: string }> {
  const { compression, helper, signal } = options;
  const level = checkLevel(compression, options.level);
  try {
    const { written, layer } = await storeLayer(options, async (path) => {
      const tar = decompress(old.open(signal), { signal });
      const packed =
        helper !== undefined && compression === "gzip"
          ? await packBytes(tar, { helper, path, level, signal })
          : await writeBytesHere(tar, { path, compressor: await openCompressor(compression, level), signal });
      if (packed.diffId !== old.diffId)
        throw new DigestMismatchError(`its content has the digest ${packed.diffId} instead of ${old.diffId}`);
      return packed;
    });
    return { layer, compressor: written.compressor };
  } catch (error) {
    signal?.throwIfAborted();
    throw faultOf(old, error);
  }
}

/** Makes what is written to a new file a blob; nothing is left of it where that fails. */
async function storeLayer<T extends PackedBytes>(
  { blobs, compression }: Pick<WriteOptions, "blobs" | "compression">,
  write: (path: string) => Promise<T>,
): Promise<{ readonly written: T; readonly layer: Layer }> {
  const path = await blobs.temporary();
  try {
    const written = await write(path);
    const { diffId, digest, size } = written;
    const file = await blobs.publish(path, digest);
    const descriptor = { mediaType: mediaTypes.oci.layer[compression], digest, size };
    return { written, layer: { descriptor, diffId, compression, open: () => blobs.open(digest), file } };
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** What the index of a layer will say of the items that it is written from, but for their digests. */
export function* announceItems(items: Iterable<LayerItem>, { clampMtime }: Pick<WriteOptions, "clampMtime">): Generator<Entry, void, void> {
  for (const item of items) yield announceItem(item, clampMtime);
}

/** The bytes of an uncompressed tar of items, in their order, under the same rules as `writeLayer`. */
export function packItems(
  items: Iterable<LayerItem> | AsyncIterable<LayerItem>,
  options: { readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void, void> {
  return encodeItems(prepareItems(items, undefined, options.signal), []);
}

async function* prepareItems(
  items: Iterable<LayerItem> | AsyncIterable<LayerItem>,
  clampMtime: number | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<PreparedItem, void, void> {
  for await (const item of items) {
    signal?.throwIfAborted();
    yield prepareItem(item, clampMtime);
  }
}
