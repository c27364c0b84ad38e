// Directories are made with their parents, or not at all.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { makeDirectories } from "../../src/filesystem/filesystem.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "slipway-directories-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("gives what it made, deepest first, and nothing the second time", async (t) => {
  const top = temporary(t);
  const wanted = path.join(top, "a/b/c");
  assert.deepEqual(await makeDirectories(wanted, 0o700), [wanted, path.join(top, "a/b"), path.join(top, "a")]);
  assert.equal(statSync(path.join(top, "a")).mode & 0o777, 0o700);
  assert.deepEqual(await makeDirectories(wanted, 0o700), []);
});

test("several at once make each directory once", async (t) => {
  const top = temporary(t);
  const made = await Promise.all(["x", "y", "z", "x"].map((name) => makeDirectories(path.join(top, "a/b", name), 0o755)));
  assert.equal(new Set(made.flat()).size, made.flat().length);
  assert.deepEqual(readdirSync(path.join(top, "a/b")), ["x", "y", "z"]);
});

test("a file in the way is an error that names it, and nothing is left", async (t) => {
  const top = temporary(t);
  writeFileSync(path.join(top, "file"), "");
  await assert.rejects(makeDirectories(path.join(top, "file/a/b"), 0o755), { code: "EEXIST", path: path.join(top, "file") });
  assert.deepEqual(readdirSync(top), ["file"]);
});

test("ends where nothing can be made", { skip: !existsSync("/proc/self") && "there is no /proc" }, async () => {
  await assert.rejects(makeDirectories("/proc/slipway/a/b", 0o755), { path: "/proc/slipway" });
});
