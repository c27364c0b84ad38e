// Brings a blob into the local store: large ones in parallel ranges, all of them verified before they get their name.

import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { expectListeners } from "../http/http.ts";
import type { Descriptor } from "../image/image.ts";
import { type Blobs, DigestMismatchError } from "../layer/layer.ts";
import { type BlobSource, type BlobTools, RangesIgnoredError, readBlob } from "./blob.ts";
import { type Limit, openLimit } from "./limit.ts";

export interface DownloadTools extends BlobTools {
  /** Of requests for bytes at a time. */
  readonly limit: Limit;
}

/** Blobs from this size on come in parts. */
const partedBytes = 32 * 1024 * 1024;
const partBytes = { least: 8 * 1024 * 1024, most: 64 * 1024 * 1024 };
const connections = 4;
/** Small chunks are gathered to writes of this size; what has been written is read back in such pieces for the digest. */
const pieceBytes = 512 * 1024;

/** Downloads, verifies and publishes a blob; gives its path. Throws a DigestMismatchError where the bytes are wrong. */
export async function downloadBlob(
  sources: readonly BlobSource[],
  descriptor: Descriptor,
  blobs: Blobs,
  tools: DownloadTools,
): Promise<string> {
  const path = await blobs.temporary();
  try {
    const file = await open(path, "wx+", 0o644);
    try {
      await downloadParts(sources, descriptor, file, tools);
    } finally {
      await file.close();
    }
    return await blobs.publish(path, descriptor.digest);
  } catch (error) {
    await rm(path, { force: true });
    // Of the file; what goes wrong on the network is no bare system error.
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new Error(`Cannot store ${descriptor.digest} below "${blobs.directory}": ${error.message}`, { cause: error });
  }
}

async function downloadParts(
  sources: readonly BlobSource[],
  descriptor: Descriptor,
  file: FileHandle,
  tools: DownloadTools,
): Promise<void> {
  const parts = planParts(descriptor.size);
  try {
    await fillFile(sources, descriptor, parts, file, tools);
  } catch (error) {
    if (!(error instanceof RangesIgnoredError)) throw error;
    tools.report.emit({ kind: "debug", text: `${error.message}; reading ${descriptor.digest} in one piece` });
    await fillFile(sources, descriptor, [{ start: 0, end: descriptor.size }], file, tools);
  }
}

interface Part {
  readonly start: number;
  readonly end: number;
}

/** Sixteen parts or so, so that the digest follows closely behind, and none so short that round trips count. */
function planParts(size: number): readonly Part[] {
  if (size < partedBytes) return [{ start: 0, end: size }];
  const length = Math.min(partBytes.most, Math.max(partBytes.least, Math.ceil(size / 16)));
  return Array.from({ length: Math.ceil(size / length) }, (_, i) => ({ start: i * length, end: Math.min(size, (i + 1) * length) }));
}

async function fillFile(
  sources: readonly BlobSource[],
  descriptor: Descriptor,
  parts: readonly Part[],
  file: FileHandle,
  tools: DownloadTools,
): Promise<void> {
  const stop = new AbortController();
  const forward = () => stop.abort(tools.signal?.reason);
  expectListeners(tools.signal);
  tools.signal?.addEventListener("abort", forward, { once: true });
  const inner = { ...tools, signal: stop.signal, shortcuts: new Map<BlobSource, string>() };
  const own = openLimit(connections);
  const digester = openDigester(file);
  const written = parts.map((part) =>
    own.run(
      () => tools.limit.run(() => writePart(readBlob(sources, descriptor, part, inner), part.start, file, digester), stop.signal),
      stop.signal,
    ),
  );
  for (const part of written) part.catch((error: unknown) => stop.abort(error));
  try {
    for (const [i, part] of parts.entries()) {
      await written[i];
      await digester.readTo(part.end);
    }
    digester.check(descriptor);
  } finally {
    tools.signal?.removeEventListener("abort", forward);
    stop.abort();
    // None may write into the file any more once this has failed.
    await Promise.allSettled(written);
  }
}

async function writePart(bytes: AsyncIterable<Uint8Array>, start: number, file: FileHandle, digester: Digester): Promise<void> {
  let at = start;
  let pending: Uint8Array[] = [];
  let size = 0;
  const flush = async () => {
    await writeAll(file, pending, at);
    at += size;
    pending = [];
    size = 0;
  };
  for await (const chunk of bytes) {
    digester.offer(chunk, at + size);
    pending.push(chunk);
    size += chunk.byteLength;
    if (size >= pieceBytes) await flush();
  }
  await flush();
}

async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (total === 0) return;
  const { bytesWritten } = await file.writev([...chunks], position);
  if (bytesWritten === total) return;
  // A disk that is filling up takes what it can; what is left goes in once more, and fails with the reason.
  await writeAll(file, [Buffer.concat(chunks).subarray(bytesWritten)], position + bytesWritten);
}

interface Digester {
  /** Takes a chunk whose turn it is, and passes over all others. */
  offer(chunk: Uint8Array, position: number): void;
  /** Reads back what was passed over, up to a place that has been written. */
  readTo(end: number): Promise<void>;
  check(descriptor: Descriptor): void;
}

function openDigester(file: FileHandle): Digester {
  const hash = createHash("sha256");
  let at = 0;
  return {
    offer(chunk, position) {
      if (position !== at) return;
      hash.update(chunk);
      at += chunk.byteLength;
    },
    async readTo(end) {
      const buffer = at < end ? Buffer.allocUnsafe(pieceBytes) : undefined;
      while (buffer !== undefined && at < end) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, end - at), at);
        if (bytesRead === 0) throw new Error(`Cannot read back a download: the file ends at byte ${at} of ${end}`);
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    },
    check({ digest, size }) {
      const found = `sha256:${hash.digest("hex")}`;
      if (at !== size || found !== digest)
        throw new DigestMismatchError(`Cannot read blob "${digest}": its ${at} bytes have the digest ${found}`);
    },
  };
}
