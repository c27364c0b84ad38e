// Which files have capabilities, asked of the helper for many files at once.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readCapabilities } from "../../src/filesystem/filesystem.ts";
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
