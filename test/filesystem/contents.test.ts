// Which files have capabilities and what they hold, asked of the helper for many files at once.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readCapabilities, readContents } from "../../src/filesystem/filesystem.ts";
import { rootHelper, temporary } from "./disk.ts";

const value = "\x01\0\0\x02\0\x20".padEnd(20, "\0");
const hex = Buffer.from(value, "latin1").toString("hex");

function setCapability(root: string, path: string): void {
  execFileSync("sh", ["-c", `setfattr -n security.capability -v 0x${hex} "$(printf '${path}')"`], { cwd: root });
}

test("those of capable files are given as they are, and no symlink is followed", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  for (const name of ["plain", "capable", "user"]) writeFileSync(join(root, name), "x");
  writeFileSync(Buffer.from(`${root}/odd\n\xff`, "latin1"), "x");
  symlinkSync("capable", join(root, "link"));
  setCapability(root, "capable");
  setCapability(root, "odd\\n\\377");
  execFileSync("setfattr", ["-n", "user.note", "-v", "n", join(root, "user")]);
  const found = await readCapabilities(root, ["plain", "capable", "gone", "gone/x", "plain/x", "link", "user", "odd\n\xff"], { helper });
  assert.deepEqual(
    found,
    new Map([
      ["capable", new Map([["security.capability", value]])],
      ["odd\n\xff", new Map([["security.capability", value]])],
    ]),
  );
});

test("as many paths as there are pass through, the answers too", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  writeFileSync(join(root, "capable"), "x");
  setCapability(root, "capable");
  const long = "d".repeat(200);
  const paths = function* () {
    for (let i = 0; i < 30_000; i += 1) yield i % 3 === 0 ? `${"./".repeat(i % 100)}capable` : `${long}/${i}`;
  };
  const found = await readCapabilities(root, paths(), { helper });
  assert.equal(found.size, new Set([...paths()].filter((path) => path.endsWith("capable"))).size);
});

test("without paths nothing is started; a root that is not there is an error, an abort its reason", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const never = { ...helper, start: () => assert.fail("nothing was to be started") };
  assert.deepEqual(await readCapabilities("/", [], { helper: never }), new Map());
  await assert.rejects(readCapabilities("/nowhere", ["x"], { helper }), /Cannot enter "\/nowhere": No such file/);
  const paths = function* () {
    for (let i = 0; i < 1_000_000; i += 1) yield `p${i}`;
  };
  await assert.rejects(readCapabilities("/nowhere", paths(), { helper }), /Cannot enter "\/nowhere": No such file/);
  await assert.rejects(readCapabilities("/", ["x"], { helper, signal: AbortSignal.abort(new Error("enough")) }), /enough|abort/i);
});

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("contents of every length are told with their digests", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  const bytes = Buffer.from(Array.from({ length: 1_000_003 }, (_, i) => (i * i) >> 3));
  const sizes = [...Array(300).keys(), 4096, 262_143, 262_144, 262_145, bytes.length];
  for (const size of sizes) writeFileSync(join(root, `${size}`), bytes.subarray(0, size));
  writeFileSync(join(root, "capable"), "x");
  setCapability(root, "capable");
  const found = new Map<string, [number, string]>();
  const paths = ["capable", ...sizes.map(String)];
  const capabilities = await readContents(root, paths, { helper }, (path, size, sha256) => found.set(path, [size, sha256]));
  assert.deepEqual(capabilities, new Map([["capable", new Map([["security.capability", value]])]]));
  assert.deepEqual(found.get("capable"), [1, digestOf(Buffer.from("x"))]);
  for (const size of sizes) assert.deepEqual(found.get(`${size}`), [size, digestOf(bytes.subarray(0, size))]);
});

test("what is no regular file, or not there, has no digest; nothing waits for a pipe", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  writeFileSync(join(root, "file"), "x");
  symlinkSync("file", join(root, "link"));
  mkdirSync(join(root, "directory"));
  execFileSync("mkfifo", [join(root, "pipe")]);
  const told: string[] = [];
  await readContents(root, ["link", "directory", "gone", "pipe", "file/x", "file"], { helper }, (path) => told.push(path));
  assert.deepEqual(told, ["file"]);
});

test("thousands of files are told of once each", async (t) => {
  const helper = await rootHelper(t);
  if (helper === undefined) return;
  const root = await temporary(t);
  for (let i = 0; i < 100; i += 1) writeFileSync(join(root, `f${i}`), `${i}`);
  const paths = Array.from({ length: 20_000 }, (_, i) => `${"./".repeat(Math.floor(i / 100))}f${i % 100}`);
  const told: string[] = [];
  await readContents(root, paths, { helper }, (path, size, sha256) => {
    const text = path.replace(/^.*f/, "");
    assert.deepEqual([size, sha256], [text.length, digestOf(Buffer.from(text))]);
    told.push(path);
  });
  assert.deepEqual(told.sort(), paths.sort());
});
