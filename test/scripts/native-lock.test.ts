// The committed helper binaries are those of the committed sources.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeNative, readNativeLock } from "../../scripts/native-lock.ts";

test("the helper binaries were built from the sources as they are", () => {
  assert.deepEqual(describeNative(), readNativeLock(), "run `npm run native` and commit dist/ and native/lock.json");
});

test("there is a helper for each architecture", () => {
  const binaries = Object.keys(readNativeLock()).filter((name) => name.startsWith("dist/"));
  assert.deepEqual(binaries, ["dist/slipway-helper-aarch64", "dist/slipway-helper-x86_64"]);
});
