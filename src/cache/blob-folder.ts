// Blobs as files named by their digest, in a directory that several builds use at once.

import { randomUUID } from "node:crypto";
import { constants, createReadStream, createWriteStream } from "node:fs";
import { copyFile, link, mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { type Digest, hexOf } from "../image/digest.ts";
import { DigestMismatchError, verifyBytes } from "../layer/layer.ts";
import { mapBounded } from "./bounded.ts";
import { codeOf, listFiles, regularFile, removeFile, touch } from "./disk.ts";
import type { NamedBlob } from "./record-file.ts";
import type { CacheBlob } from "./store.ts";

/** Of a file, per read. */
const readBytes = 256 * 1024;
const parallelLooks = 16;

export interface BlobFolder {
  /** Whole as far as its size tells. */
  has(blob: NamedBlob): Promise<boolean>;
  /** Links the blob's file where the file system can, and copies it elsewhere. What is there is only marked as used. */
  put(blob: CacheBlob, signal?: AbortSignal): Promise<void>;
  /** Verified; a file whose bytes are wrong is removed, so that the next put brings it anew. */
  read(blob: NamedBlob, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void>;
  list(): Promise<readonly (NamedBlob & { readonly usedAt: number })[]>;
  touch(digest: Digest): Promise<unknown>;
  /** Unless it was used since `scannedAt`; false where it stays. */
  remove(digest: Digest, scannedAt: number): Promise<boolean>;
}

/** `unfinished` is on the same file system. Nothing is made before the first put. */
export function openBlobFolder(folder: string, unfinished: string): BlobFolder {
  const pathOf = (digest: Digest) => path.join(folder, hexOf(digest));

  async function has({ digest, size }: NamedBlob): Promise<boolean> {
    return (await regularFile(pathOf(digest)))?.size === size;
  }

  async function bring(blob: CacheBlob, temporary: string, signal: AbortSignal | undefined): Promise<void> {
    if (blob.file === undefined) {
      await pipeline(blob.open(signal), createWriteStream(temporary, { flags: "wx" }), { ...(signal === undefined ? {} : { signal }) });
      return;
    }
    const source = blob.file;
    await link(source, temporary).catch(() => copyFile(source, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE));
  }

  return {
    has,
    async put(blob, signal) {
      signal?.throwIfAborted();
      const { digest, size } = blob.descriptor;
      if (await has({ digest, size })) {
        await touch(pathOf(digest));
        return;
      }
      for (const directory of [folder, unfinished]) await mkdir(directory, { recursive: true });
      const temporary = path.join(unfinished, randomUUID());
      try {
        await bring(blob, temporary, signal);
        const arrived = (await regularFile(temporary))?.size;
        if (arrived !== size) throw new Error(`Cannot keep blob "${digest}": it has ${arrived} bytes instead of ${size}`);
        // A linked file may have been written long ago, and would pass for one that nobody needs.
        await touch(temporary);
        await rename(temporary, pathOf(digest));
      } finally {
        // Also after a rename: between two links of one file it does nothing.
        await rm(temporary, { force: true });
      }
    },
    async *read({ digest, size }, signal) {
      const file = pathOf(digest);
      const before = await regularFile(file);
      if (before === undefined) throw new Error(`Cannot read blob "${digest}": it is gone`);
      try {
        const stream = createReadStream(file, { highWaterMark: readBytes, ...(signal === undefined ? {} : { signal }) });
        yield* verifyBytes(stream, { digest, size });
      } catch (error) {
        const isSame = async () => (await regularFile(file))?.ino === before.ino;
        if (error instanceof DigestMismatchError && (await isSame())) await rm(file, { force: true }).catch(() => {});
        throw codeOf(error) === "ENOENT" ? new Error(`Cannot read blob "${digest}": it is gone`, { cause: error }) : error;
      }
    },
    async list() {
      const names = (await listFiles(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
      const found = await mapBounded(names, parallelLooks, async (name) => {
        const file = await regularFile(path.join(folder, name));
        return file === undefined ? [] : [{ digest: `sha256:${name}` as const, size: file.size, usedAt: file.mtimeMs }];
      });
      return found.flat();
    },
    touch: (digest) => touch(pathOf(digest)),
    async remove(digest, scannedAt) {
      const file = pathOf(digest);
      return ((await regularFile(file))?.mtimeMs ?? 0) > scannedAt ? false : removeFile(file);
    },
  };
}
