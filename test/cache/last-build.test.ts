// The note that a build leaves for the next one of its name: when it is believed, what it keeps alive, and what it costs.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CachedLayer, type Chain, openCache, openDirectoryStore, openRegistryStore, type Store } from "../../src/cache/cache.ts";
import { hexOf } from "../../src/image/digest.ts";
import { digestOf } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import { startRegistry } from "../support/registry.ts";
import { layerOf, openTestClient, readAll } from "../support/registry-image.ts";
import { listen } from "./places.ts";
import { keyOf, makeFolder } from "./records.ts";

/** The layers with these seeds; `a:1` and `a:2` are two that need one index. */
function chainOf(...names: readonly string[]): Chain {
  const layers = names.map((name): CachedLayer => {
    const [tar = ""] = name.split(":");
    const layer = layerOf(Buffer.from(`layer ${name}`), digestOf(Buffer.from(tar)));
    const index = layerOf(Buffer.from(`index ${tar}`));
    return { layer, compressor: "test", created: "2020-02-02T02:02:02Z", seconds: 1, index };
  });
  return { layers, fidelity: "full" };
}

function open(...stores: readonly Store[]) {
  const { texts, report } = listen();
  const rest = { readOnly: false, maxAge: 1e10, secret: undefined, scope: "", readScopes: [], signal: new AbortController().signal };
  return { texts, cache: openCache({ stores, ...rest, report: { ...report, mask() {} } }) };
}

const name = keyOf("name");
const stateKeys = (stage: string) => [keyOf(`${stage} 1`), keyOf(`${stage} 2`)];
const stages = (chains: Readonly<Record<string, Chain | undefined>>) =>
  Object.entries(chains).map(([stage, chain]) => ({ keys: stateKeys(stage), chain }));

function inDirectory(t: TestContext) {
  const directory = join(makeFolder(t), "cache");
  const blobPath = (bytes: string) => join(directory, "v1/blobs", hexOf(digestOf(Buffer.from(bytes))));
  return { openStore: () => openDirectoryStore(directory, listen()), blobPath };
}

test("it keeps its layers, and knows each step's without asking", async (t) => {
  const { openStore } = inDirectory(t);
  const first = open(openStore());
  first.cache.keepLast(name, "value", stages({ one: chainOf("below", "a", "b") }));
  await first.cache.close();
  const next = open(openStore());
  assert.equal(await next.cache.findLast(name), "value");
  const found = await next.cache.find(stateKeys("one"));
  assert.deepEqual(
    stateKeys("one").map((key) => found.get(key)?.layers.length),
    [2, 3],
  );
  for (const { layer, index } of found.get(keyOf("one 2"))?.layers ?? [])
    for (const { descriptor, open } of [layer, index]) assert.equal(digestOf(await readAll(open())), descriptor.digest);
  assert.deepEqual([...first.texts, ...next.texts], []);
});

for (const gone of ["layer a", "index b"])
  test(`it is not believed where ${gone} is gone`, async (t) => {
    const { openStore, blobPath } = inDirectory(t);
    const first = open(openStore());
    first.cache.keepLast(name, "value", stages({ one: chainOf("a", "b") }));
    await first.cache.close();
    rmSync(blobPath(gone));
    const next = open(openStore());
    assert.equal(await next.cache.findLast(name), undefined);
    assert.equal((await next.cache.find(stateKeys("one"))).size, 0);
  });

test("one that is too long goes without its value, or not at all, and the store is none the worse", async (t) => {
  const { openStore } = inDirectory(t);
  const long = "x".repeat(1_100_000);
  for (const [stage, value, left] of [
    ["one", "short", "short"],
    ["one", long, null],
    [long, "too long anyway", null],
  ] as const) {
    const { cache, texts } = open(openStore());
    cache.keepLast(name, value, [{ keys: [keyOf(stage), stage], chain: chainOf("a", "b") }]);
    cache.keep([keyOf(`after ${left}`)], chainOf("c"));
    await cache.close();
    const next = open(openStore());
    assert.equal(await next.cache.findLast(name), left);
    assert.equal((await next.cache.find([keyOf(stage), keyOf(`after ${left}`)])).size, stage === long ? 1 : 2);
    assert.deepEqual([...texts, ...next.texts], []);
  }
});

test("of a stage that was not needed it has what the one before had, unless that could not be read", async (t) => {
  const { openStore } = inDirectory(t);
  const first = open(openStore());
  first.cache.keepLast(name, 1, stages({ one: chainOf("a", "b"), two: chainOf("c", "d"), three: chainOf("e", "f") }));
  await first.cache.close();
  const next = open(openStore());
  await next.cache.findLast(name);
  const two = (await next.cache.find(stateKeys("two"))).get(keyOf("two 2"));
  assert.ok(two?.layers[0] && next.cache.blame(two.layers[0].layer, new Error("it is damaged")));
  next.cache.keepLast(name, 2, stages({ one: undefined, two: undefined, three: chainOf("g", "h") }));
  await next.cache.close();
  const last = open(openStore());
  assert.equal(await last.cache.findLast(name), 2);
  const found = await last.cache.find([...stateKeys("one"), ...stateKeys("two"), ...stateKeys("three")]);
  assert.deepEqual([...found.keys()], [...stateKeys("one"), ...stateKeys("three")]);
});

test("a layer that cannot be read is no fault of the store that is written to, and comes again with the next put", async (t) => {
  const { openStore, blobPath } = inDirectory(t);
  const first = open(openStore());
  first.cache.keepLast(name, 1, stages({ one: chainOf("a", "b") }));
  await first.cache.close();
  const next = open(openStore());
  await next.cache.findLast(name);
  const found = (await next.cache.find(stateKeys("one"))).get(keyOf("one 1"));
  assert.ok(found);
  for (const blob of ["layer a", "index a"]) rmSync(blobPath(blob));
  next.cache.keep([keyOf("broken")], { ...found, layers: [...found.layers, ...chainOf("c").layers] });
  await new Promise((resolve) => setTimeout(resolve, 100));
  next.cache.keep([keyOf("whole")], chainOf("a", "c"));
  await next.cache.close();
  assert.deepEqual([next.texts.length, next.cache.blamed], [1, 1], next.texts.join("\n"));
  const last = open(openStore());
  assert.deepEqual([...(await last.cache.find(["broken", "whole"].map(keyOf))).keys()], [keyOf("whole")]);
});

test("in a repository nothing is asked for or sent twice on its behalf", async (t) => {
  const registry = await startRegistry(t);
  const openStore = () => {
    const { client } = openTestClient(t);
    return openRegistryStore(parseReference(`${registry.host}/cache`), { registry: client, report: listen().report });
  };
  const build = async (value: string, chains: Readonly<Record<string, Chain | undefined>>) => {
    registry.requests.length = 0;
    const { cache } = open(openStore());
    await cache.findLast(name);
    await cache.find(stateKeys("one"));
    for (const { keys, chain } of stages(chains)) if (chain !== undefined) cache.keep(keys.slice(1), chain);
    cache.keepLast(name, value, stages(chains));
    await cache.close();
    return registry.requests.map(({ method, path }) => `${method} ${/manifests|blobs/.exec(path)}`).sort();
  };
  await build("first", { one: chainOf("a", "b"), two: chainOf("c", "d") });
  const { cache } = open(openStore());
  registry.requests.length = 0;
  assert.equal(await cache.findLast(name), "first");
  const found = await cache.find(stateKeys("two"));
  cache.keepLast(name, "first", stages({ one: undefined, two: found.get(keyOf("two 2")) }));
  await cache.close();
  assert.deepEqual(
    registry.requests.map(({ method }) => method),
    ["GET"],
    "the note alone",
  );
  const asked = await build("edited", { one: chainOf("a", "e"), two: undefined });
  const sent = ["HEAD blobs", "POST blobs", "PUT blobs"];
  const configuration = "HEAD blobs";
  assert.deepEqual(asked, ["GET manifests", ...sent, ...sent, configuration, "PUT manifests", "PUT manifests"].sort());
});
