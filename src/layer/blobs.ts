// Content-addressed files in a directory that several builds may share.

import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, hexOf } from "../image/digest.ts";
import { type Expected, verifyBytes } from "./verify.ts";

/** Files named by the sha256 of their bytes, below `blobs/sha256`. They appear whole or not at all and never change. */
export interface Blobs {
  readonly directory: string;
  /** Where the blob is or would be. */
  path(digest: Digest): string;
  has(digest: Digest): Promise<boolean>;
  /** Stores bytes; throws, and keeps nothing, where they are not what is expected. */
  write(expected: Expected | undefined, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<StoredBlob>;
  /** The bytes, verified while they are read. */
  open(digest: Digest): AsyncIterable<Uint8Array>;
  /** A path for a new file, that `publish` can make a blob; nothing is there yet. Whoever asks removes what does not become one. */
  temporary(): Promise<string>;
  /** Makes a temporary file the blob of this digest, which the caller vouches for. */
  publish(temporary: string, digest: Digest): Promise<string>;
}

export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly path: string;
}

/** Opens the store below `directory`, which is made where it is missing. */
export async function openBlobs(directory: string): Promise<Blobs> {
  const folder = join(directory, "blobs", "sha256");
  const unfinished = join(directory, "blobs", "unfinished");
  await mkdir(folder, { recursive: true });
  await mkdir(unfinished, { recursive: true });
  const path = (digest: Digest) => join(folder, hexOf(digest));
  const temporary = async () => join(unfinished, randomUUID());
  const publish = async (file: string, digest: Digest) => {
    await rename(file, path(digest));
    return path(digest);
  };
  return {
    directory,
    path,
    temporary,
    publish,
    has: (digest) =>
      access(path(digest)).then(
        () => true,
        () => false,
      ),
    open: (digest) => verifyBytes(createReadStream(path(digest), { highWaterMark: 256 << 10 }), { digest }),
    async write(expected, bytes, signal) {
      const file = await temporary();
      try {
        const stored = await writeFile(file, expected === undefined ? bytes : verifyBytes(bytes, expected), signal);
        return { ...stored, path: await publish(file, stored.digest) };
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
    },
  };
}

/** Writes a new file and tells what it holds. */
export async function writeFile(path: string, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Omit<StoredBlob, "path">> {
  const handle = await open(path, "wx", 0o644);
  try {
    const hash = createHash("sha256");
    let size = 0;
    const pending = new PendingWrites(handle, path);
    for await (const chunk of bytes) {
      signal?.throwIfAborted();
      hash.update(chunk);
      size += chunk.length;
      await pending.add(chunk);
    }
    await pending.flush();
    signal?.throwIfAborted();
    return { digest: `sha256:${hash.digest("hex")}`, size };
  } finally {
    await handle.close();
  }
}

/** Gathers the small chunks that networks give into writes that are worth a system call. */
class PendingWrites {
  readonly #handle: FileHandle;
  readonly #path: string;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= 256 << 10 || this.#chunks.length >= 512) await this.flush();
  }

  async flush(): Promise<void> {
    let chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    while (chunks.length > 0) {
      const { bytesWritten } = await this.#handle.writev(chunks).catch((cause: Error) => {
        throw new Error(`Cannot write "${this.#path}": ${cause.message}`, { cause });
      });
      chunks = dropBytes(chunks, bytesWritten);
    }
  }
}

function dropBytes(chunks: Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  return chunks.flatMap((chunk) => {
    const dropped = Math.min(left, chunk.length);
    left -= dropped;
    return dropped === chunk.length ? [] : [chunk.subarray(dropped)];
  });
}
