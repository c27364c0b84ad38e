// A short run of what `npm run torture` does at length.

import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRoot } from "../sandbox/root.ts";
import { torture } from "./torture.ts";

test("whatever of a build is killed, nothing of it is left", { timeout: 300_000 }, async (t) => {
  if (!needsRoot(t)) return;
  const rungs = ["ns", "chroot", "chroot-bare"] as const;
  const rows = await torture({ count: 8, seed: Date.now() % 1_000_000_000, rungs, say: (line) => t.diagnostic(line) });
  assert.deepEqual(
    rows.flatMap(({ wrong }) => wrong),
    [],
  );
});
