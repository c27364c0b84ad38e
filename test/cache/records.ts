// Records for tests of stores: made up from a number, so that whoever reads one knows what it must be.

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { CacheBlob, Key, NewRecord, Store } from "../../src/cache/store.ts";
import { digestOf } from "../../src/image/encode.ts";
import { layerOf, makeBytes, readAll } from "../support/registry-image.ts";

export function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "slipway-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function keyOf(name: string): Key {
  return createHash("sha256").update(name).digest("hex");
}

/** One layer of `size` bytes made from `seed`. */
export function recordOf(name: string, seed = 1, size = 1000): NewRecord {
  return recordWith(name, [layerOf(makeBytes(size, seed))]);
}

export function recordWith(name: string, blobs: readonly CacheBlob[]): NewRecord {
  const text = JSON.stringify({ name, blobs: blobs.map(({ descriptor: { digest, size } }) => ({ digest, size })) });
  return { key: keyOf(name), bytes: Buffer.from(text), blobs };
}

/** A layer whose bytes lie in a file. */
export async function fileBlob(folder: string, bytes: Buffer): Promise<CacheBlob & { readonly file: string }> {
  const file = join(folder, digestOf(bytes).slice(-12));
  await writeFile(file, bytes);
  return { ...layerOf(bytes), file };
}

/** The names of what a store gives for `keys`, after all of it has been read and found whole. */
export async function readWhole(store: Store, keys: readonly Key[]): Promise<readonly string[]> {
  const names: string[] = [];
  for (const [key, bytes] of await store.find(keys)) {
    const { name, blobs } = JSON.parse(Buffer.from(bytes).toString()) as {
      name: string;
      blobs: { digest: `sha256:${string}`; size: number }[];
    };
    if (keyOf(name) !== key) throw new Error(`The record of ${key} is that of "${name}"`);
    for (const blob of blobs) {
      const found = digestOf(await readAll(store.read(blob)));
      if (found !== blob.digest) throw new Error(`A blob of "${name}" reads as ${found} instead of ${blob.digest}`);
    }
    names.push(name);
  }
  return names.sort();
}
