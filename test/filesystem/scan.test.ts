// What the helper tells of a directory on disk.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { type ScannedEntry, type ScanOptions, scanDirectory } from "../../src/filesystem/filesystem.ts";
import type { Helper } from "../../src/helper/helper.ts";
import { rootHelper, temporary } from "./disk.ts";

async function scan(root: string, helper: Helper, options?: ScanOptions): Promise<Map<string, ScannedEntry>> {
  const found = new Map<string, ScannedEntry>();
  for await (const entry of scanDirectory(root, { helper }, options)) found.set(entry.path, entry);
  return found;
}

test("scanDirectory tells all that a layer can hold, in its order", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/f"), "content", { mode: 0o640 });
  linkSync(join(root, "d/f"), join(root, "g"));
  writeFileSync(join(root, "d-x"), "");
  writeFileSync(Buffer.from(`${root}/\xff`, "latin1"), "");
  symlinkSync("no/where", join(root, "l"));
  execFileSync("sh", ["-ec", "touch -d @-5 d/f; mkfifo p; mknod n c 5 300; chown 70000:80000 d; setfattr -n user.x -v y d"], { cwd: root });
  const server = createServer().listen(join(root, "s"));
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const found = await scan(root, helper);
  assert.deepEqual([...found.keys()], ["", "d", "d/f", "d-x", "g", "l", "n", "p", "s", "\xff"]);
  const types = [...found.values()].map(({ type }) => type);
  assert.deepEqual(types, ["directory", "directory", "file", "file", "file", "symlink", "char", "fifo", "socket", "file"]);
  const f = found.get("d/f");
  assert.deepEqual([f?.mode, f?.size, f?.nlink, f?.mtime, f?.mtimeNs], [0o640, 7, 2, -5, 0]);
  assert.equal(f?.inode, found.get("g")?.inode);
  assert.notEqual(f?.inode, found.get("d-x")?.inode);
  assert.deepEqual(
    [found.get("d")?.uid, found.get("d")?.gid, found.get("d")?.xattrs.get("user.x"), found.get("d")?.size],
    [70000, 80000, "y", 0],
  );
  assert.equal(found.get("l")?.link, "no/where");
  assert.deepEqual([found.get("n")?.devMajor, found.get("n")?.devMinor], [5, 300]);
});

test("scanDirectory sees what it is told not to enter", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  mkdirSync(join(root, "a/b/c"), { recursive: true });
  mkdirSync(join(root, "b/x"), { recursive: true });
  assert.deepEqual([...(await scan(root, helper, { skipBelow: ["a/b", "b"] })).keys()], ["", "a", "a/b", "b"]);
});

test("scanDirectory can stay on one file system", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const devices = await scan("/", helper, { oneFileSystem: true, skipBelow: ["home", "root", "tmp", "usr", "var", "work", "opt", "etc"] });
  assert.ok(devices.has("proc"));
  assert.ok(![...devices.keys()].some((path) => path.startsWith("proc/")));
});

test("a directory that is not there is an error that names it", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  await assert.rejects(scan("/nowhere/at/all", helper), /Cannot scan "\/nowhere\/at\/all": No such file or directory/);
});
