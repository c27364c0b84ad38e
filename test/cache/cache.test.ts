// What a build says of stores that it has trouble with.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCache, type Store } from "../../src/cache/cache.ts";
import { RegistryError } from "../../src/registry/registry.ts";
import { listen } from "./places.ts";
import { keyOf } from "./records.ts";

/** No two of them have the same words. */
const refuse = (name: string) =>
  Promise.reject(new RegistryError(`Cannot ask r.test for ${name}: it is shut`, { failure: "refused", hint: "ask the porter" }));
const shut: Store = {
  name: "repository r.test/cache",
  find: ([key = ""]) => refuse(key.slice(0, 4)),
  put: ({ key }) => refuse(key.slice(0, 4)),
  prune: () => refuse("nothing"),
  async *read() {},
  async close() {},
};

test("trouble with a store is told once, with what to try, and ends no build", async () => {
  for (const [use, text] of [
    [
      "read",
      "Cannot read the cache in repository r.test/cache: Cannot ask r.test for ca97: it is shut (ask the porter); the build goes on without it",
    ],
    [
      "written",
      "Cannot write to the cache in repository r.test/cache: Cannot ask r.test for ca97: it is shut (ask the porter); nothing more is written to it",
    ],
  ]) {
    const { texts, report } = listen();
    const rest = { readOnly: false, maxAge: 1e10, secret: undefined, scope: "", readScopes: [], signal: new AbortController().signal };
    const cache = openCache({ stores: [shut], ...rest, report: { ...report, mask() {} } });
    const uses = ["a", "b"].map(async (name) => {
      if (use === "read") assert.equal((await cache.find([keyOf(name)])).size, 0);
      else cache.keepNote(keyOf(name), "value");
    });
    await Promise.all(uses);
    await cache.close();
    assert.deepEqual(texts, [text]);
  }
});
