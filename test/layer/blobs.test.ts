// Tests that the store holds what its names say, or nothing.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "../../src/image/encode.ts";
import { DigestMismatchError, openBlobs, verifyBytes } from "../../src/layer/layer.ts";
import { chunked, collect } from "./raw-tar.ts";

async function openStore(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "slipway-blobs-"));
  t.after(() => rm(directory, { recursive: true }));
  const blobs = await openBlobs(directory);
  const unfinished = () => readdir(join(directory, "blobs", "unfinished"));
  return { directory, blobs, unfinished };
}

const bytes = randomBytes(1_000_000);
const digest = digestOf(bytes);

test("a blob that was written is found under its digest, and read back", async (t) => {
  const { blobs, unfinished, directory } = await openStore(t);
  assert(!(await blobs.has(digest)));
  for (const chunk of [1000, 1 << 20]) {
    const stored = await blobs.write({ digest, size: bytes.length }, chunked(bytes, chunk));
    assert.deepEqual(stored, { digest, size: bytes.length, path: join(directory, "blobs/sha256", digest.slice(7)) });
  }
  assert(await blobs.has(digest));
  assert((await readFile(blobs.path(digest))).equals(bytes));
  assert((await collect(blobs.open(digest))).equals(bytes));
  assert.deepEqual(await unfinished(), []);
});

test("a blob of unknown digest is named when it is known", async (t) => {
  const { blobs } = await openStore(t);
  assert.equal((await blobs.write(undefined, chunked(bytes))).digest, digest);
  assert.equal((await blobs.write(undefined, chunked(Buffer.alloc(0)))).size, 0);
});

test("nothing is kept of bytes that are not those expected", async (t) => {
  const { blobs, unfinished } = await openStore(t);
  const other = digestOf(Buffer.from("other"));
  async function* broken() {
    yield bytes;
    throw new Error("connection reset");
  }
  const rows: [() => Promise<unknown>, RegExp][] = [
    [() => blobs.write({ digest: other, size: bytes.length }, chunked(bytes)), /its bytes have the digest sha256:/],
    [() => blobs.write({ digest, size: bytes.length + 1 }, chunked(bytes)), /it ends after 1000000 of 1000001 bytes/],
    [() => blobs.write({ digest, size: bytes.length - 1 }, chunked(bytes)), /it is longer than its 999999 bytes/],
    [() => blobs.write({ digest }, chunked(bytes.subarray(1))), /its bytes have the digest/],
    [() => blobs.write({ digest }, broken()), /connection reset/],
    [() => blobs.write({ digest }, chunked(bytes), AbortSignal.abort(new Error("cancelled"))), /cancelled/],
  ];
  for (const [written, message] of rows) await assert.rejects(written(), message);
  assert(!(await blobs.has(digest)));
  assert(!(await blobs.has(other)));
  assert.deepEqual(await unfinished(), []);
});

test("a blob that was damaged on disk is refused while it is read", async (t) => {
  const { blobs } = await openStore(t);
  await blobs.write(undefined, chunked(bytes));
  await writeFile(blobs.path(digest), bytes.subarray(0, -1));
  await assert.rejects(collect(blobs.open(digest)), DigestMismatchError);
});

test("builds that share a store may write the same blob at the same time", async (t) => {
  const { blobs, directory, unfinished } = await openStore(t);
  const stores = await Promise.all(Array.from({ length: 8 }, () => openBlobs(directory)));
  await Promise.all(stores.map((store, i) => store.write({ digest, size: bytes.length }, chunked(bytes, 10_000 + i))));
  assert((await collect(blobs.open(digest))).equals(bytes));
  assert.deepEqual(await unfinished(), []);
});

test("a temporary file becomes a blob by its name alone", async (t) => {
  const { blobs } = await openStore(t);
  const [first, second] = [await blobs.temporary(), await blobs.temporary()];
  assert.notEqual(first, second);
  await writeFile(first, bytes);
  assert.equal(await blobs.publish(first, digest), blobs.path(digest));
  assert((await collect(blobs.open(digest))).equals(bytes));
});

test("verifyBytes keeps the last chunk back until all are known to be right", async () => {
  const seen: number[] = [];
  const reading = (async () => {
    for await (const chunk of verifyBytes(chunked(bytes, 400_000), { digest: digestOf(Buffer.from("other")) })) seen.push(chunk.length);
  })();
  await assert.rejects(reading, DigestMismatchError);
  assert.deepEqual(seen, [400_000, 400_000]);
});
