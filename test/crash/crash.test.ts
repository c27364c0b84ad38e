// A short run of what `npm run crash:cache` does at length.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crash } from "./crash.ts";

test("builds that are killed leave every kind of store whole", { timeout: 300_000 }, async (t) => {
  const counts = await crash({ count: 4, seed: Date.now() % 1_000_000_000, say: (line) => t.diagnostic(line) });
  assert.equal(counts.length, 4);
});
