// Writes a layer in this process, where no helper serves the machine or the compression is zstd.

import { createHash } from "node:crypto";
import type { Digest } from "../image/digest.ts";
import { writeFile } from "./blobs.ts";
import type { Compressor } from "./compress.ts";
import { ContentHash } from "./content-hash.ts";
import type { Entry } from "./entry.ts";
import { paddingOf } from "./header.ts";
import { type PreparedItem, readRange, settleDigest, settleInline } from "./item.ts";
import { trailer } from "./write-tar.ts";

/** What is known of compressed bytes when the last one is written. */
export interface PackedBytes {
  readonly diffId: Digest;
  readonly digest: Digest;
  /** Compressed bytes. */
  readonly size: number;
  /** The id of what compressed them. */
  readonly compressor: string;
}

/** The same of a layer. */
export interface WrittenLayer extends PackedBytes {
  readonly entries: readonly Entry[];
}

export interface WriteHereOptions {
  /** Of a file that is not there yet. */
  readonly path: string;
  readonly compressor: Compressor;
  readonly signal: AbortSignal | undefined;
}

const padding = Buffer.alloc(512);

/** Writes a new file at `path`. */
export async function writeHere(items: AsyncIterable<PreparedItem>, options: WriteHereOptions): Promise<WrittenLayer> {
  const entries: Entry[] = [];
  return { ...(await writeBytesHere(encodeItems(items, entries), options)), entries };
}

/** The same from a tar as it is. */
export async function writeBytesHere(tar: AsyncIterable<Uint8Array>, { path, compressor, signal }: WriteHereOptions): Promise<PackedBytes> {
  const hash = createHash("sha256");
  const { digest, size } = await writeFile(path, compressor.compress(hashed(tar, hash)), signal);
  return { diffId: `sha256:${hash.digest("hex")}`, digest, size, compressor: compressor.id };
}

async function* hashed(stream: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of stream) {
    hash.update(chunk);
    yield chunk;
  }
}

/** The tar of items, whose index entries are added to `entries` as they pass. */
export async function* encodeItems(items: AsyncIterable<PreparedItem>, entries: Entry[]): AsyncGenerator<Uint8Array, void, void> {
  for await (const item of items) {
    entries.push(item.entry);
    yield item.header;
    if (item.entry.type !== "file") continue;
    const { content } = item;
    if (settleInline(item)) {
      if (content?.kind === "bytes") yield content.bytes;
    } else if (content?.kind === "file") {
      const hash = new ContentHash(content.size);
      for await (const chunk of content.read?.() ?? readRange(content)) {
        hash.update(chunk);
        yield chunk;
      }
      settleDigest(item, hash.digest());
    }
    yield padding.subarray(0, paddingOf(item.entry.size));
  }
  yield trailer;
}
