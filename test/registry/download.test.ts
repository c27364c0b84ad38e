// Layers from registries that cut, lie, ignore ranges and redirect.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "../../src/image/encode.ts";
import type { Layer } from "../../src/image/image.ts";
import { parseReference } from "../../src/image/reference.ts";
import { openBlobs } from "../../src/layer/layer.ts";
import { RegistryError } from "../../src/registry/registry.ts";
import { type Fault, startRegistry, type TestRegistry } from "../support/registry.ts";
import { makeBytes, openTestClient, putImage, readAll } from "../support/registry-image.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const MiB = 1024 * 1024;
const small = makeBytes(600_000);
const large = makeBytes(33 * MiB, 7);

async function setUp(t: TestContext, bytes: Buffer, options: Parameters<typeof openTestClient>[1] = {}) {
  const registry = await startRegistry(t);
  putImage(registry, "app", "1", { layers: [bytes] });
  const opened = openTestClient(t, options);
  const folder = await mkdtemp(join(tmpdir(), "slipway-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const blobs = await openBlobs(folder);
  const image = await opened.client.resolve(parseReference(`${registry.host}/app:1`), amd64);
  const [layer] = image.layers;
  assert.ok(layer);
  const unfinished = () => readdir(join(folder, "blobs", "unfinished"));
  return { registry, ...opened, blobs, layer, unfinished };
}

const blob = { method: "GET", path: new RegExp(`/blobs/${digestOf(small)}`) } as const;
const bigBlob = { method: "GET", path: new RegExp(`/blobs/${digestOf(large)}`) } as const;

const recovered: Record<string, readonly Fault[]> = {
  "a connection cut in the middle": [{ ...blob, kind: "cut", after: 100_000 }],
  "a connection cut again and again": [
    { ...blob, kind: "cut", after: 100_000 },
    { ...blob, kind: "cut", after: 1 },
    { ...blob, kind: "cut", after: 200_000 },
  ],
  "a connection cut before the answer": [{ ...blob, kind: "reset" }],
  "a connection cut before the first byte": [{ ...blob, kind: "cut", after: 0 }],
  "503 three times": [{ ...blob, kind: "status", status: 503, times: 3 }],
  "429 with Retry-After": [{ ...blob, kind: "status", status: 429, headers: { "retry-after": "0" } }],
  "408, 499 and 522": [408, 499, 522].map((status) => ({ ...blob, kind: "status" as const, status })),
  "a stall": [{ ...blob, kind: "stall", after: 50_000 }],
  "a slow host": [{ ...blob, kind: "drip", bytes: 60_000, everyMs: 5 }],
  "a flipped bit": [{ ...blob, kind: "corrupt" }],
  "a body that is shorter than it should be, and says so": [{ ...blob, kind: "truncate", to: 100_000 }],
  "a cut, and then a host that ignores the range": [
    { ...blob, kind: "cut", after: 100_000 },
    { ...blob, kind: "replace", status: 200, body: small },
  ],
};

for (const [name, faults] of Object.entries(recovered)) {
  test(`fetch and open recover from ${name}`, async (t) => {
    const { registry, client, blobs, layer, unfinished } = await setUp(t, small);
    registry.order(...faults);
    const { file = "" } = await client.fetch(layer, blobs);
    assert.ok(small.equals(await readFile(file)));
    assert.deepEqual(await unfinished(), []);
    if (faults.some(({ kind }) => kind === "corrupt")) return;
    registry.order(...faults);
    assert.ok(small.equals(await readAll(layer.open())));
  });
}

test("what was read before a cut is not asked for again", async (t) => {
  const { registry, client, blobs, layer } = await setUp(t, small);
  registry.order({ ...blob, kind: "cut", after: 123_456 });
  await client.fetch(layer, blobs);
  const ranges = registry.requests.filter(({ path }) => blob.path.test(path)).map(({ range }) => range);
  assert.deepEqual(ranges, [undefined, "bytes=123456-599999"]);
  assert.equal(client.transferred().downloaded, small.length);
});

const partial = (value: string): Fault => ({ ...blob, kind: "headers", headers: { "content-range": value } });
const refused: Record<string, readonly Fault[]> = {
  "bytes that are wrong every time": [{ ...blob, kind: "corrupt", times: 99 }],
  "a body without end": [{ ...blob, kind: "infinite", times: 99 }],
  "more bytes than the manifest says": [{ ...blob, kind: "replace", status: 200, body: Buffer.concat([small, small]), times: 99 }],
  "other bytes of the same length": [{ ...blob, kind: "replace", status: 200, body: makeBytes(600_000, 9), times: 99 }],
  "a body that always ends early": [{ ...blob, kind: "truncate", to: 100, times: 99 }],
  "a part where the whole was asked for": [{ ...blob, kind: "replace", status: 206, body: small.subarray(0, 10), times: 99 }],
  "a range that lies about its start": [{ ...blob, kind: "cut", after: 1000 }, partial("bytes 0-598999/600000")],
  "a range that lies about its size": [{ ...blob, kind: "cut", after: 1000 }, partial("bytes 1000-599999/700000")],
  "a range that names nothing": [{ ...blob, kind: "cut", after: 1000 }, partial("all of it")],
  "a range with other bytes than it says": [
    { ...blob, kind: "cut", after: 1000 },
    { ...blob, kind: "replace", status: 206, body: small.subarray(0, 599_000), headers: { "content-range": "bytes 1000-599999/600000" } },
    { ...blob, kind: "corrupt", times: 99 },
  ],
  "404": [{ ...blob, kind: "status", status: 404, times: 99 }],
  "endless 500": [{ ...blob, kind: "status", status: 500, times: 99 }],
  "a Retry-After of an hour": [{ ...blob, kind: "status", status: 429, headers: { "retry-after": "3600" }, times: 99 }],
  "endless stalls": [{ ...blob, kind: "stall", after: 10, times: 99 }],
  "a redirect in a circle": [{ ...blob, kind: "redirect", to: "?round", times: 99 }],
  "a redirect to a file": [{ ...blob, kind: "redirect", to: "file:///etc/passwd", times: 99 }],
};

for (const [name, faults] of Object.entries(refused)) {
  test(`fetch and open refuse ${name}`, async (t) => {
    const { registry, client, blobs, layer, unfinished } = await setUp(t, small);
    registry.order(...faults);
    await assert.rejects(
      client.fetch(layer, blobs),
      (error: Error) => error instanceof RegistryError && /^Cannot pull layer/.test(error.message),
    );
    assert.equal(await blobs.has(layer.descriptor.digest), false);
    assert.deepEqual(await unfinished(), []);
    registry.order(...faults);
    const got: Uint8Array[] = [];
    await assert.rejects(async () => {
      for await (const chunk of layer.open()) got.push(chunk);
    });
    assert.ok(Buffer.concat(got).length < small.length, "the last chunk stays back");
  });
}

test("a large blob comes in parts over several connections", async (t) => {
  const { registry, client, blobs, layer } = await setUp(t, large);
  const { file = "" } = await client.fetch(layer, blobs);
  assert.ok(large.equals(await readFile(file)));
  const ranges = registry.requests.filter(({ path }) => bigBlob.path.test(path)).map(({ range }) => range);
  assert.equal(ranges.length, 5);
  assert.ok(ranges.includes("bytes=0-8388607") && ranges.includes("bytes=33554432-34603007"));
});

const recoveredParts: Record<string, readonly Fault[]> = {
  "parts that are cut": [1, 2, 3].map((n) => ({ ...bigBlob, kind: "cut" as const, after: n * 1_000_000 })),
  "a host that ignores ranges": [{ ...bigBlob, kind: "replace", status: 200, body: large, times: 99 }],
  "a host that refuses ranges": [{ ...bigBlob, kind: "status", status: 416, times: 4 }],
  "a flipped bit in one part": [{ ...bigBlob, kind: "corrupt" }],
  "a part that stalls": [{ ...bigBlob, kind: "stall", after: 3_000_000 }],
};

for (const [name, faults] of Object.entries(recoveredParts)) {
  test(`fetch of a large blob recovers from ${name}`, async (t) => {
    const { registry, client, blobs, layer, unfinished } = await setUp(t, large);
    registry.order(...faults);
    const { file = "" } = await client.fetch(layer, blobs);
    assert.equal(digestOf(await readFile(file)), layer.descriptor.digest);
    assert.deepEqual(await unfinished(), []);
  });
}

test("fetch of a large blob refuses parts that are swapped", async (t) => {
  const { registry, client, blobs, layer } = await setUp(t, large);
  registry.order({
    ...bigBlob,
    kind: "replace",
    status: 206,
    body: large.subarray(0, 8 * MiB),
    headers: { "content-range": "bytes 8388608-16777215/34603008" },
    times: 99,
  });
  await assert.rejects(client.fetch(layer, blobs), /Cannot pull layer/);
  assert.equal(await blobs.has(layer.descriptor.digest), false);
});

test("fetches of one digest share one download, and one that gives up does not stop the others", async (t) => {
  const { registry, client, blobs, layer } = await setUp(t, small);
  registry.order({ ...blob, kind: "drip", bytes: 60_000, everyMs: 10 });
  const stop = new AbortController();
  const given = client.fetch(layer, blobs, stop.signal);
  const kept = [client.fetch(layer, blobs), client.fetch(layer, blobs)];
  setTimeout(() => stop.abort(new Error("enough")), 20);
  await assert.rejects(given, /enough/);
  for (const { file = "" } of await Promise.all(kept)) assert.ok(small.equals(await readFile(file)));
  assert.equal(registry.count("GET", blob.path), 1);
});

test("an abort ends a stalled download at once and leaves nothing behind", async (t) => {
  const { registry, client, blobs, layer, unfinished } = await setUp(t, small);
  registry.order({ ...blob, kind: "stall", after: 1000, times: 99 });
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("enough")), 30);
  const began = Date.now();
  await assert.rejects(client.fetch(layer, blobs, stop.signal), /enough/);
  assert.ok(Date.now() - began < 200);
  for (let turn = 0; turn < 50 && (await unfinished()).length > 0; turn++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(await unfinished(), []);
});

test("a redirect to another host takes no credentials along, one on the same host does", async (t) => {
  const auth = { kind: "basic", username: "ci", password: "word" } as const;
  const registry = await startRegistry(t, { auth });
  const cdn = await startRegistry(t);
  putImage(registry, "app", "1", { layers: [small] });
  putImage(cdn, "store", "1", { layers: [small] });
  const { client } = openTestClient(t, { dockerConfig: { json: JSON.stringify({ auths: { [registry.host]: auth } }) } });
  const image = await client.resolve(parseReference(`${registry.host}/app:1`), amd64);
  const [layer] = image.layers;
  assert.ok(layer);
  const target = `/v2/store/blobs/${layer.descriptor.digest}?signature=abc`;
  registry.order(
    { ...blob, kind: "redirect", to: `http://${cdn.host}${target}` },
    { ...blob, kind: "redirect", to: `/v2/app/blobs/${layer.descriptor.digest}?again` },
  );
  assert.ok(small.equals(await readAll(layer.open())));
  assert.deepEqual(
    cdn.requests.map(({ path, authorization }) => [path, authorization]),
    [[target, undefined]],
  );
  assert.ok(small.equals(await readAll(layer.open())));
  assert.match(registry.requests.at(-1)?.authorization ?? "", /^Basic /);
  assert.match(registry.requests.at(-1)?.path ?? "", /again$/);
});

test("transfers are reported no more often than every 100 ms, and their end always is", async (t) => {
  const { registry, client, blobs, layer, texts } = await setUp(t, small);
  registry.order({ ...blob, kind: "drip", bytes: 20_000, everyMs: 5 });
  await client.fetch(layer, blobs);
  const events = texts
    .filter((text) => text.startsWith("{"))
    .map((text) => JSON.parse(text) as { bytes: number; total: number; done?: string });
  assert.equal(events.at(-1)?.done, "transferred");
  assert.ok(events.length >= 2 && events.length <= 8, `${events.length} events`);
  assert.ok(events.every(({ bytes, total }, i) => total === small.length && bytes >= (events[i - 1]?.bytes ?? 0)));
});

/** Another host with the blob, to which the registry sends the four connections that start at once. */
async function redirectTo(t: TestContext, registry: TestRegistry, { descriptor }: Layer): Promise<TestRegistry> {
  const cdn = await startRegistry(t);
  putImage(cdn, "store", "1", { layers: [large] });
  registry.order({ ...bigBlob, kind: "redirect", to: `http://${cdn.host}/v2/store/blobs/${descriptor.digest}?signature=abc`, times: 4 });
  return cdn;
}

test("the parts of a large blob go on where the registry redirected the first, until that ends", async (t) => {
  const { registry, client, blobs, layer } = await setUp(t, large);
  const cdn = await redirectTo(t, registry, layer);
  cdn.order({ method: "GET", kind: "cut", after: 1_000_000 });
  const { file = "" } = await client.fetch(layer, blobs);
  assert.equal(digestOf(await readFile(file)), layer.descriptor.digest);
  assert.equal(registry.count("GET", bigBlob.path), 4, "four connections start at once and learn the address each for itself");
  assert.equal(cdn.requests.length, 6);
});

test("a redirect's address that has ended is asked for again", async (t) => {
  const { registry, client, blobs, layer } = await setUp(t, large);
  const cdn = await redirectTo(t, registry, layer);
  cdn.order(
    { method: "GET", kind: "drip", bytes: 1_000_000, everyMs: 2, times: 4 },
    { method: "GET", kind: "refuse", status: 403, times: 99 },
  );
  const { file = "" } = await client.fetch(layer, blobs);
  assert.equal(digestOf(await readFile(file)), layer.descriptor.digest);
  assert.equal(registry.count("GET", bigBlob.path), 5);
});
