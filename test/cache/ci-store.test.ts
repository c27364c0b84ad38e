// The store in the cache service of a CI, against a service that keeps to both protocols, and breaks when it is told to.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type CiLimits, type CiStoreOptions, openCiStore } from "../../src/cache/ci-store.ts";
import type { CacheBlob, Key, NewRecord, Store } from "../../src/cache/store.ts";
import { openHttp } from "../../src/http/http.ts";
import { digestOf } from "../../src/image/encode.ts";
import { startCacheService, type TestCacheService } from "../support/cache-service.ts";
import { layerOf, makeBytes, readAll } from "../support/registry-image.ts";

const scope = "app";
const day = 24 * 3600 * 1000;
const twirp = (method: string) => new RegExp(`^/twirp/.*/${method}$`);

interface Job {
  readonly store: Store;
  readonly texts: string[];
}

/** A build's own process: a store that knows nothing yet. Parts are small, so that blobs of some kilobytes come to several. */
function openJob(
  t: TestContext,
  service: TestCacheService,
  options: Partial<CiStoreOptions> = {},
  { now = Date.now, limits }: { now?: () => number; limits?: CiLimits } = {},
): Job {
  const backOff = { tries: 4, firstMs: 1, mostMs: 4 };
  const timeouts = { connectMs: 2000, headersMs: 1000, storeMs: 1000, stallMs: 300 };
  const http = openHttp({ userAgent: "test", proxies: {}, roots: { files: [], directories: [] }, backOff, timeouts });
  t.after(() => http.close());
  const texts: string[] = [];
  const store = openCiStore(
    { access: service.access(), scope, readScopes: [], maxBytes: 1 << 30, ...options },
    {
      http,
      report: { emit: (event) => "text" in event && texts.push(`${event.kind}: ${event.text}`), mask: () => {} },
      sizes: { sent: 4000, sentAtOnce: 3, read: 1500, readAtOnce: 3 },
      backOff,
      now,
      ...(limits === undefined ? {} : { limits }),
    },
  );
  return { store, texts };
}

const keyOf = (name: string): Key => createHash("sha256").update(name).digest("hex");

function recordOf(name: string, ...blobs: CacheBlob[]): NewRecord {
  return { key: keyOf(name), bytes: Buffer.from(`record ${name}`), blobs };
}

/** Puts the records, in a job of its own. */
async function keep(job: Job, ...records: NewRecord[]): Promise<void> {
  await Promise.all(records.map((record) => job.store.put(record)));
  await job.store.close();
}

async function findNames(job: Job, ...names: string[]): Promise<string[]> {
  const found = await job.store.find(names.map(keyOf));
  for (const name of names) if (found.has(keyOf(name))) assert.equal(String(found.get(keyOf(name))), `record ${name}`);
  return names.filter((name) => found.has(keyOf(name)));
}

const small = layerOf(makeBytes(700, 1));
const large = layerOf(makeBytes(30_000, 2));
const other = layerOf(makeBytes(9_000, 3));
const empty = layerOf(Buffer.alloc(0));

for (const protocol of [1, 2] as const) {
  test(`what a build keeps the next one finds, with protocol ${protocol}`, async (t) => {
    const service = await startCacheService(t, protocol);
    await keep(openJob(t, service), recordOf("a", small, large), recordOf("b", large, empty), recordOf("c"));
    const job = openJob(t, service);
    assert.deepEqual(await findNames(job, "a", "b", "c", "d"), ["a", "b", "c"]);
    for (const { descriptor, open } of [small, large, empty])
      assert.deepEqual(await readAll(job.store.read(descriptor)), await readAll(open()));
    assert.deepEqual(job.texts, []);
  });

  test(`of the next build only what is new is sent, with protocol ${protocol}`, async (t) => {
    const service = await startCacheService(t, protocol);
    await keep(openJob(t, service), recordOf("a", large));
    await keep(openJob(t, service), recordOf("b", large, other));
    assert.deepEqual(
      service.find(/pack/).map(({ bytes }) => bytes.length),
      [large.descriptor.size, other.descriptor.size],
    );
    const job = openJob(t, service);
    assert.deepEqual(await findNames(job, "a", "b"), ["a", "b"]);
    assert.equal(digestOf(await readAll(job.store.read(large.descriptor))), large.descriptor.digest);
  });

  test(`two builds that end at once both keep what they have, with protocol ${protocol}`, async (t) => {
    const service = await startCacheService(t, protocol);
    await keep(openJob(t, service), recordOf("a", small));
    const jobs = [openJob(t, service), openJob(t, service), openJob(t, service)];
    await Promise.all(jobs.map((job, i) => keep(job, recordOf(`job ${i}`, layerOf(makeBytes(5000, 10 + i))))));
    assert.deepEqual(await findNames(openJob(t, service), "a", "job 0", "job 1", "job 2"), ["a", "job 0", "job 1", "job 2"]);
  });

  test(`a token that may only read is told of once, with protocol ${protocol}`, async (t) => {
    const service = await startCacheService(t, protocol);
    await keep(openJob(t, service), recordOf("a", small));
    const before = service.requests.length;
    const job = openJob(t, service, { access: service.access({ "refs/heads/main": 1 }) });
    await keep(job, recordOf("b", small), recordOf("c", small));
    assert.equal(service.requests.length, before);
    assert.deepEqual(job.texts, [`notice: This job may not write to GitHub's cache "app": nothing is kept there`]);
    assert.deepEqual(await findNames(job, "a", "b"), ["a"]);
  });

  test(`a service that finds at the end that nothing may be written is no trouble, with protocol ${protocol}`, async (t) => {
    const service = await startCacheService(t, protocol);
    const denial = { status: protocol === 1 ? 403 : 200, body: JSON.stringify({ ok: false, message: "cache write denied: read-only" }) };
    service.order({ kind: "refuse", method: "POST", path: protocol === 1 ? /caches$/ : twirp("CreateCacheEntry"), ...denial });
    const job = openJob(t, service);
    await keep(job, recordOf("a", small));
    assert.deepEqual(job.texts, [`notice: This job may not write to GitHub's cache "app": nothing is kept there`]);
    assert.equal(service.entries.length, 0);
  });

  test(`an upload that was not finished is never seen, with protocol ${protocol}`, async (t) => {
    const service = await startCacheService(t, protocol);
    await keep(openJob(t, service), recordOf("a", small));
    const path = protocol === 1 ? /caches\/\d+$/ : twirp("FinalizeCacheEntryUpload");
    service.order({ kind: "refuse", status: 400, method: "POST", path });
    const job = openJob(t, service);
    await job.store.put(recordOf("b", large));
    await assert.rejects(
      job.store.close(),
      /^Error: Cannot (upload|finish) cache entry "slipway-pack-.*": the cache service answered 400$/,
    );
    assert.deepEqual(await findNames(openJob(t, service), "a", "b"), ["a"]);
  });
}

test("a build asks once for the index, once for each entry that it needs, and for nothing by key", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small), recordOf("b", large));
  await keep(openJob(t, service), recordOf("c", other));
  const [asked, read] = [twirp("GetCacheEntryDownloadURL"), /^\/blob/];
  const before = [service.count("POST", asked), service.count("GET", read)];
  const job = openJob(t, service);
  await Promise.all([findNames(job, "a", "b", "x"), findNames(job, "a", "y")]);
  await findNames(job, "a", "b", "c", "z");
  assert.deepEqual([service.count("POST", asked), service.count("GET", read)], [(before[0] ?? 0) + 3, (before[1] ?? 0) + 1]);
});

test("a build writes two entries, and none where there is nothing new", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), ...Array.from({ length: 20 }, (_, i) => recordOf(`${i}`, layerOf(makeBytes(900, i + 1)))));
  assert.equal(service.count("POST", twirp("CreateCacheEntry")), 2);
  const before = service.requests.length;
  await openJob(t, service).store.close();
  assert.equal(service.requests.length, before);
  const job = openJob(t, service);
  await findNames(job, "3");
  await keep(job, recordOf("4", layerOf(makeBytes(900, 5))));
  assert.equal(service.count("POST", twirp("CreateCacheEntry")), 2);
});

test("a record that is too long, or comes after the end, is refused", async (t) => {
  const service = await startCacheService(t);
  const job = openJob(t, service);
  const bytes = makeBytes(1024 * 1024, 7);
  await assert.rejects(job.store.put({ ...recordOf("longer"), bytes: Buffer.concat([bytes, bytes]) }), /1048576 is the most/);
  await assert.rejects(job.store.put(recordOf("a"), AbortSignal.abort(new Error("stopped"))), /stopped/);
  await keep(job, { ...recordOf("long"), bytes });
  assert.ok(bytes.equals((await openJob(t, service).store.find([keyOf("long")])).get(keyOf("long")) ?? Buffer.alloc(0)));
});

test("a record replaces the one with its key", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  await keep(openJob(t, service), { ...recordOf("a", other), bytes: Buffer.from("new") });
  const job = openJob(t, service);
  assert.equal(String((await job.store.find([keyOf("a")])).get(keyOf("a"))), "new");
  await assert.rejects(
    readAll(job.store.read(small.descriptor)),
    /Cannot read blob "sha256:.*" from GitHub's cache "app": it is not there any more/,
  );
});

test("a branch reads the main branch's cache besides its own, and the main branch never a branch's", async (t) => {
  const service = await startCacheService(t);
  const branch = { access: service.access({ "refs/heads/main": 1, "refs/pull/7/merge": 3 }) };
  await keep(openJob(t, service), recordOf("a", large), recordOf("both", small));
  await keep(openJob(t, service, branch), { ...recordOf("both", large, other), bytes: Buffer.from("the branch's") }, recordOf("b", large));
  assert.deepEqual(
    service.find(/pack/).map(({ scope: place, bytes }) => [place, bytes.length]),
    [
      ["refs/heads/main", large.descriptor.size + small.descriptor.size],
      ["refs/pull/7/merge", other.descriptor.size],
    ],
  );
  await keep(openJob(t, service), recordOf("later", small));
  const job = openJob(t, service, branch);
  assert.deepEqual(await findNames(job, "a", "b", "later"), ["a", "b", "later"]);
  assert.equal(String((await job.store.find([keyOf("both")])).get(keyOf("both"))), "the branch's");
  assert.equal(digestOf(await readAll(job.store.read(large.descriptor))), large.descriptor.digest);
  assert.deepEqual(await findNames(openJob(t, service), "a", "both", "b"), ["a", "both"]);
  const otherBranch = { access: service.access({ "refs/heads/main": 1, "refs/pull/8/merge": 3 }) };
  assert.deepEqual(await findNames(openJob(t, service, otherBranch), "a", "b"), ["a"]);
});

test("builds of different scopes do not see each other", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  for (const name of ["", "App", "app-2", "app,2"]) {
    const job = openJob(t, service, { scope: name });
    assert.deepEqual(await findNames(job, "a"), []);
    await keep(job, recordOf(name, small));
    assert.deepEqual(await findNames(openJob(t, service, { scope: name }), "a", name), [name]);
  }
  for (const { key } of service.entries) assert.match(key, /^[a-z0-9._-]{1,512}$/);
});

test("a build of one scope reads others where it is told to, and writes its own", async (t) => {
  const service = await startCacheService(t);
  const trusted = { scope: "", readScopes: [""] };
  const fork = { scope: "fork", readScopes: [""] };
  await keep(openJob(t, service, trusted), recordOf("a", large));
  await keep(openJob(t, service, fork), recordOf("b", large, small));
  assert.deepEqual(
    service.find(/pack/).map(({ bytes }) => bytes.length),
    [large.descriptor.size, small.descriptor.size],
  );
  const job = openJob(t, service, fork);
  assert.deepEqual(await findNames(job, "a", "b"), ["a", "b"]);
  assert.equal(digestOf(await readAll(job.store.read(large.descriptor))), large.descriptor.digest);
  assert.deepEqual(await findNames(openJob(t, service, trusted), "a", "b"), ["a"]);
});

test("a job that may not read the cache leaves it alone", async (t) => {
  for (const mode of ["none", "write-only"]) {
    const service = await startCacheService(t);
    const job = openJob(t, service, { access: service.access(undefined, mode) });
    assert.deepEqual(await findNames(job, "a"), []);
    await keep(job, recordOf("a", small));
    assert.equal(service.requests.length, 0);
    assert.equal(job.texts[0], `notice: This job may not read GitHub's cache "app": it is not used`);
  }
});

test("a job whose runner says so does not write", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  const job = openJob(t, service, { access: service.access(undefined, "read") });
  await keep(job, recordOf("b", small));
  assert.deepEqual(await findNames(job, "a", "b"), ["a"]);
});

test("a service that asks for patience gets it", async (t) => {
  const service = await startCacheService(t);
  service.order(
    { kind: "refuse", status: 429, headers: { "retry-after": "0" }, path: twirp("CreateCacheEntry"), times: 2 },
    { kind: "refuse", status: 503, path: /comp=block&/, times: 2 },
    { kind: "refuse", status: 500, path: /comp=blocklist/ },
    { kind: "reset", path: twirp("FinalizeCacheEntryUpload") },
  );
  const job = openJob(t, service);
  await keep(job, recordOf("a", large));
  service.order({ kind: "refuse", status: 429, headers: { "retry-after": "1" }, path: twirp("GetCacheEntryDownloadURL") });
  const started = Date.now();
  assert.deepEqual(await findNames(openJob(t, service), "a"), ["a"]);
  assert.ok(Date.now() - started >= 1000);
});

test("a service that asks for too much patience is given up", async (t) => {
  const service = await startCacheService(t);
  const body = JSON.stringify({ code: "resource_exhausted", msg: "too many requests" });
  service.order({ kind: "refuse", status: 429, headers: { "retry-after": "900" }, body, times: 2 });
  const job = openJob(t, service);
  await assert.rejects(job.store.find([keyOf("a")]), /the cache service answered 429 \(resource_exhausted: too many requests\)/);
  await job.store.put(recordOf("a", small));
  await assert.rejects(job.store.close(), /answered 429/);
  assert.equal(service.entries.length, 0);
});

test("a service that answers too slowly is given up", async (t) => {
  const service = await startCacheService(t);
  service.order({ kind: "stall", after: 0, times: 100 });
  const job = openJob(t, service, {}, { limits: { askMs: 60, writeMs: 90 } });
  await assert.rejects(job.store.find([keyOf("a")]), /^Error: Cannot read GitHub's cache "app": it takes longer than 0.06 s$/);
  await job.store.put(recordOf("a", small));
  await assert.rejects(job.store.close(), /Cannot (read|write to) GitHub's cache "app": it takes longer than 0.0\d s/);
});

test("whoever has reserved the next index and died is waited for, and then passed over", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  service.order({ kind: "refuse", status: 400, path: /^\/blob\/4\?/ });
  await assert.rejects(keep(openJob(t, service), recordOf("b", other)));
  await keep(openJob(t, service), recordOf("c", other));
  await keep(openJob(t, service), recordOf("d", other));
  assert.deepEqual(await findNames(openJob(t, service), "a", "b", "c", "d"), ["a", "c", "d"]);
  assert.deepEqual(
    service.entries.filter(({ key }) => /index/.test(key)).map(({ key, isFinished }) => [key.replace(/.*-/, ""), isFinished]),
    [
      ["1", true],
      ["2", false],
      ["3", true],
      ["4", true],
    ],
  );
});

test("whoever was passed over and lives all the same keeps what it has, and so does the other", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  // The fourth entry is the slow job's index.
  service.order({ kind: "refuse", status: 503, headers: { "retry-after": "1" }, path: /^\/blob\/4\?/ });
  const slow = keep(openJob(t, service), recordOf("slow", other));
  while (service.entries.length < 4) await sleep(5);
  await keep(openJob(t, service), recordOf("quick", other));
  assert.equal(service.entries[3]?.isFinished, false);
  await slow;
  assert.deepEqual(await findNames(openJob(t, service), "a", "quick", "slow"), ["a", "quick", "slow"]);
});

for (const protocol of [1, 2] as const) {
  test(`what a build was not told of as lost is found, however the service breaks, with protocol ${protocol}`, async (t) => {
    const service = await startCacheService(t, protocol);
    const calls = [/CreateCacheEntry|caches$/, /Finalize|caches\/\d+$/, /^\/blob/, /GetCache|cache\?/];
    const kinds = [{ kind: "status", status: 503 }, { kind: "refuse", status: 500 }, { kind: "reset" }] as const;
    const blobs = Array.from({ length: 6 }, (_, i) => layerOf(makeBytes(2000 + i * 900, i + 1)));
    const blob = (i: number) => blobs[i % blobs.length] ?? small;
    const kept: string[] = [];
    for (let round = 0; round < 5; round++) {
      for (const [i, kind] of kinds.entries()) service.order({ ...kind, path: calls[(round + i) % 4] ?? /./, times: 2 });
      const build = async (name: string, ...records: NewRecord[]) =>
        keep(openJob(t, service), ...records).then(
          () => kept.push(name),
          () => {},
        );
      await Promise.all([0, 1, 2].map((i) => build(`${round}.${i}`, recordOf(`${round}.${i}`, blob(round + i), blob(round * 5 + i)))));
    }
    const job = openJob(t, service);
    assert.ok(kept.length >= 5, `${kept.length} builds of 15 came through`);
    assert.deepEqual(await findNames(job, ...kept), kept);
    for (const i of kept.map((name) => name.split(".").map(Number)).map(([round = 0, place = 0]) => round + place))
      assert.equal(digestOf(await readAll(job.store.read(blob(i).descriptor))), blob(i).descriptor.digest);
  });
}

test("requests that went through though their answers were lost are no trouble", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  for (const [name, blob] of [
    ["b", small],
    ["c", other],
  ] as const) {
    service.order({ kind: "status", status: 502, path: twirp("CreateCacheEntry") });
    service.order({ kind: "status", status: 502, path: twirp("FinalizeCacheEntryUpload"), times: 2 });
    await keep(openJob(t, service), recordOf(name, blob));
  }
  assert.deepEqual(await findNames(openJob(t, service), "a", "b", "c"), ["a", "b", "c"]);
});

const damages: Record<string, (bytes: Buffer) => Buffer> = {
  "cut off": (bytes) => bytes.subarray(0, bytes.length >> 1),
  empty: () => Buffer.alloc(0),
  "wrong in one bit": (bytes) => Buffer.from(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 4 : byte))),
  "no index": () => Buffer.from("hello"),
};

for (const [name, damage] of Object.entries(damages)) {
  test(`an index that is ${name} counts as empty, and the next build writes a good one`, async (t) => {
    const service = await startCacheService(t);
    await keep(openJob(t, service), recordOf("a", small));
    for (const entry of service.find(/index/)) entry.bytes = damage(entry.bytes);
    const job = openJob(t, service);
    assert.deepEqual(await findNames(job, "a"), []);
    assert.match(
      job.texts.join("\n"),
      /^warning: Cannot use cache entry "slipway-index-app-[0-9a-f]{12}-1": it is no index \(.+\); the cache counts as empty$/,
    );
    await keep(job, recordOf("b", small));
    assert.deepEqual(await findNames(openJob(t, service), "a", "b"), ["b"]);
  });
}

test("an entry that is too short fails the read, and a connection that ends in the middle does not", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", large));
  const job = openJob(t, service);
  service.order({ kind: "cut", after: 700, path: /^\/blob\/1\?/, times: 2 });
  assert.equal(digestOf(await readAll(job.store.read(large.descriptor))), large.descriptor.digest);
  for (const entry of service.find(/pack/)) entry.bytes = entry.bytes.subarray(0, 20_000);
  await assert.rejects(
    readAll(job.store.read(large.descriptor)),
    /Cannot read blob "sha256:.*": (the entry ends \d+ bytes too early|the cache service answered 416 \(InvalidRange\))/,
  );
});

test("the index is read again where the connection ends in the middle", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", large));
  service.order({ kind: "cut", after: 40, method: "GET", times: 2 });
  assert.deepEqual(await findNames(openJob(t, service), "a"), ["a"]);
});

test("records whose entry the service has removed are not found, and are kept anew", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  await keep(openJob(t, service), recordOf("b", small, large), recordOf("c"));
  service.remove(new RegExp(service.find(/pack/)[0]?.key ?? "none"));
  assert.deepEqual(await findNames(openJob(t, service), "a", "b", "c"), ["c"]);
  await keep(openJob(t, service), recordOf("a", small));
  const job = openJob(t, service);
  assert.deepEqual(await findNames(job, "a", "b", "c"), ["a", "b", "c"]);
  for (const { descriptor } of [small, large]) assert.equal(digestOf(await readAll(job.store.read(descriptor))), descriptor.digest);
});

test("URLs that have expired are asked for anew, once for all that wait", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", large, other));
  const job = openJob(t, service);
  await findNames(job, "a");
  service.expireUrls();
  const before = service.count("POST", twirp("GetCacheEntryDownloadURL"));
  const reads = await Promise.all([large, other].map(({ descriptor }) => readAll(job.store.read(descriptor))));
  assert.deepEqual(reads.map(digestOf), [large.descriptor.digest, other.descriptor.digest]);
  assert.equal(service.count("POST", twirp("GetCacheEntryDownloadURL")), before + 1);
  service.order({ kind: "refuse", status: 403, path: /^\/blob/, times: 100 });
  await assert.rejects(readAll(job.store.read(other.descriptor)), /the cache service answered 403/);
});

test("a server that knows no ranges is read all the same", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small, large, other));
  service.ignoreRanges();
  const job = openJob(t, service);
  for (const { descriptor } of [small, large, other]) assert.equal(digestOf(await readAll(job.store.read(descriptor))), descriptor.digest);
});

test("whoever stops reading stops the transfer, and nobody else's", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", large, other));
  const { store } = openJob(t, service);
  const whole = readAll(store.read(other.descriptor));
  for await (const _ of store.read(large.descriptor)) break;
  assert.equal(digestOf(await whole), other.descriptor.digest);
  const stop = new AbortController();
  const reading = readAll(store.read(large.descriptor, stop.signal));
  stop.abort(new Error("enough"));
  await assert.rejects(reading, /enough/);
});

test("a blob that cannot be read is left out, with the records that need it", async (t) => {
  const service = await startCacheService(t);
  const broken: CacheBlob = {
    ...other,
    async *open() {
      yield makeBytes(5000, 3);
      throw new Error("the registry is gone");
    },
  };
  const job = openJob(t, service);
  await keep(job, recordOf("a", small), recordOf("b", broken), recordOf("c", large));
  assert.match(job.texts.join("\n"), /warning: Cannot keep "sha256:.*" in GitHub's cache "app": the registry is gone/);
  const next = openJob(t, service);
  assert.deepEqual(await findNames(next, "a", "b", "c"), ["a", "c"]);
  for (const { descriptor } of [small, large]) assert.equal(digestOf(await readAll(next.store.read(descriptor))), descriptor.digest);
});

test("a build that is stopped while it writes leaves what was", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  const stop = new AbortController();
  const slow: CacheBlob = {
    ...large,
    async *open() {
      for (let at = 0; at < 30_000; at += 1000) {
        yield makeBytes(1000, at);
        if (at === 20_000) stop.abort(new Error("stopped"));
      }
    },
  };
  const job = openJob(t, service);
  await job.store.put(recordOf("b", slow));
  await assert.rejects(job.store.close(stop.signal), /^Error: stopped$/);
  assert.equal(service.find(/./).length, 2);
  assert.deepEqual(await findNames(openJob(t, service), "a", "b"), ["a"]);
});

test("what is used least recently gives way", async (t) => {
  const service = await startCacheService(t);
  const start = Date.parse("2026-01-01T00:00:00Z");
  const at = (days: number, maxBytes = 20_000) => openJob(t, service, { maxBytes }, { now: () => start + days * day });
  const blobs = [1, 2, 3].map((seed) => layerOf(makeBytes(9000, 20 + seed)));
  const records = blobs.map((blob, i) => recordOf(`${i}`, blob));
  await keep(at(0), ...records.slice(0, 1));
  await keep(at(1), ...records.slice(1, 2));
  const user = at(3);
  await findNames(user, "0");
  await user.store.close();
  await keep(at(4), ...records.slice(2));
  assert.deepEqual(await findNames(at(5), "0", "1", "2"), ["0", "2"]);
  await keep(at(6), recordOf("too large", layerOf(makeBytes(21_000, 9))));
  assert.deepEqual(await findNames(at(7), "0", "2", "too large"), ["0", "2"]);
});

test("what was used within a day is not worth an index", async (t) => {
  const service = await startCacheService(t);
  const start = Date.parse("2026-01-01T00:00:00Z");
  const at = (days: number) => openJob(t, service, {}, { now: () => start + days * day });
  await keep(at(0), recordOf("a", small));
  for (const [days, indexes] of [
    [0.5, 1],
    [1.5, 2],
    [2, 2],
  ] as const) {
    const job = at(days);
    await findNames(job, "a");
    await job.store.close();
    assert.equal(service.find(/index/).length, indexes);
  }
});

test("a record counts as used when one is that names all of its blobs", async (t) => {
  const service = await startCacheService(t);
  const start = Date.parse("2026-01-01T00:00:00Z");
  const at = (days: number, maxBytes = 1 << 30) => openJob(t, service, { maxBytes }, { now: () => start + days * day });
  await keep(at(0), recordOf("step", small), recordOf("unused", other), recordOf("note", small, large));
  const user = at(3);
  await findNames(user, "note");
  await user.store.close();
  assert.deepEqual(await findNames(at(3, 31_000), "note", "step"), ["note", "step"]);
  await at(4).store.prune({ unusedFor: 2 * 24 * 3600, dryRun: false });
  assert.deepEqual(await findNames(at(5), "note", "step", "unused"), ["note", "step"]);
});

test("pruning takes records out of the index, and says that the bytes stay", async (t) => {
  const service = await startCacheService(t);
  const start = Date.parse("2026-01-01T00:00:00Z");
  const at = (days: number) => openJob(t, service, {}, { now: () => start + days * day });
  await keep(at(0), recordOf("old", small));
  await keep(at(5), recordOf("new", large), recordOf("newer", other));
  const result = { removedRecords: 1, removedBlobs: [], freedBytes: 0, keptRecords: 2, keptBytes: 39_000 };
  const pruning = at(6);
  assert.deepEqual(await pruning.store.prune({ unusedFor: 3 * 24 * 3600, dryRun: true }), result);
  assert.equal(pruning.texts.length, 1);
  assert.match(pruning.texts[0] ?? "", /notice: GitHub's cache "app" cannot be told to remove bytes/);
  assert.deepEqual(await findNames(at(6), "old", "new", "newer"), ["old", "new", "newer"]);
  assert.deepEqual(await at(6).store.prune({ unusedFor: 3 * 24 * 3600, dryRun: false }), result);
  assert.deepEqual(await findNames(at(6), "old", "new", "newer"), ["new", "newer"]);
  assert.equal((await at(6).store.prune({ maxBytes: 10_000, dryRun: false })).keptBytes, 9000);
  const reader = openJob(t, service, { access: service.access({ "refs/heads/main": 1 }) });
  await assert.rejects(reader.store.prune({ dryRun: false }), /Cannot prune GitHub's cache "app": this job may not write to it/);
});

test("neither token nor signature is in what is said", async (t) => {
  const service = await startCacheService(t);
  const said: string[] = [];
  const secret = service.access().token;
  for (const fault of [
    { kind: "reset" },
    { kind: "refuse", status: 401 },
    { kind: "refuse", status: 400, body: `{"msg":"Bearer ${secret}"}` },
  ] as const) {
    service.order({ ...fault, times: 5 });
    const job = openJob(t, service);
    await job.store.find([keyOf("a")]).catch((error: Error) => said.push(String(error), String(error.cause)));
    service.order({ ...fault, times: 5, path: /^\/blob/ });
    await job.store.put(recordOf("a", large));
    await job.store.close().catch((error: Error) => said.push(String(error), String(error.cause)));
    said.push(...job.texts);
  }
  assert.ok(said.length >= 6);
  for (const text of said) assert.ok(!text.includes(secret) && !/sig=[^…]/.test(text), text);
});

test("bytes that are not those of the blob are an error", async (t) => {
  const service = await startCacheService(t);
  await keep(openJob(t, service), recordOf("a", small));
  const [pack] = service.find(/pack/);
  assert.ok(pack);
  pack.bytes[9] = 255 - (pack.bytes[9] ?? 0);
  const job = openJob(t, service);
  assert.deepEqual(await findNames(job, "a"), ["a"]);
  await assert.rejects(readAll(job.store.read(small.descriptor)), { name: "DigestMismatchError" });
});
