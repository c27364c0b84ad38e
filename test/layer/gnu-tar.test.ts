// Tests that every archive GNU tar writes reads as the files it was made of.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { toRaw } from "../../src/layer/entry.ts";
import { readAll } from "./raw-tar.ts";

const root = mkdtempSync(join(tmpdir(), "slipway-gnu-"));
after(() => rmSync(root, { recursive: true }));

const long = `${"folder-with-a-name/".repeat(9)}${"n".repeat(90)}`;
mkdirSync(join(root, long), { recursive: true });
writeFileSync(join(root, "plain"), "plain text");
writeFileSync(join(root, "é"), "utf-8");
writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), "raw");
symlinkSync("../é/x", join(root, "link"));
linkSync(join(root, "plain"), join(root, "same"));
execFileSync("mkfifo", [join(root, "pipe")]);
const hole = join(root, "sparse");
const handle = openSync(hole, "w");
for (let i = 0; i < 40; i++) writeSync(handle, Buffer.alloc(4096, i + 1), 0, 4096, i * 200_000 + 100_000);
truncateSync(hole, 9_000_000);
utimesSync(join(root, "plain"), 1_600_000_000.25, 1_600_000_000.25);

const short = ["plain", "é", "\xff\xfe", "link", "same", "pipe", "sparse"];
const rows: [args: string[], paths: string[]][] = [
  [["--format=v7"], short],
  [["--format=ustar"], short],
  [["--format=gnu"], [...short, long]],
  [["--format=pax"], [...short, long]],
  [
    ["--format=oldgnu", "--sparse"],
    [...short, long],
  ],
  [
    ["--format=gnu", "--sparse"],
    [...short, long],
  ],
  [
    ["--format=pax", "--sparse", "--sparse-version=0.0"],
    [...short, long],
  ],
  [
    ["--format=pax", "--sparse", "--sparse-version=0.1"],
    [...short, long],
  ],
  [
    ["--format=pax", "--sparse", "--sparse-version=1.0"],
    [...short, long],
  ],
];

for (const [args, paths] of rows) {
  test(`readTar reads what tar ${args.join(" ")} writes`, async () => {
    const names = paths.map((path) => (path === "é" || path === long ? path : Buffer.from(path, "latin1")));
    const input = Buffer.concat(names.flatMap((path) => [Buffer.from(path), Buffer.from([0])]));
    const kept = paths.filter((path) => !(args[0] === "--format=v7" && path === "pipe"));
    const list =
      args[0] === "--format=v7"
        ? Buffer.concat(names.filter((_, i) => paths[i] !== "pipe").flatMap((path) => [Buffer.from(path), Buffer.from([0])]))
        : input;
    const tar = execFileSync("tar", ["-C", root, ...args, "--numeric-owner", "--null", "-T", "-", "-cf", "-"], {
      input: list,
      maxBuffer: 1 << 25,
      env: { ...process.env, LC_ALL: "C" },
    });
    const read = await readAll(tar);
    assert.deepEqual(
      read.map(({ entry }) => entry.path),
      kept.map((path) => (path === "é" ? toRaw(path) : path)),
    );
    for (const { entry, content } of read) {
      const file = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(entry.path, "latin1")]);
      const status = lstatSync(file);
      assert.equal(entry.mode, status.mode & 0o7777);
      assert.equal(entry.uid, status.uid);
      assert.equal(entry.mtime, Math.floor(status.mtimeMs / 1000));
      if (entry.type === "file") {
        assert.equal(entry.size, status.size);
        const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
        assert.equal(digest(content), digest(readFileSync(file)));
      }
    }
    const types = new Map(read.map(({ entry }) => [entry.path, entry]));
    assert.equal(types.get("link")?.link, toRaw("../é/x"));
    assert.deepEqual([types.get("same")?.type, types.get("same")?.link], ["hardlink", "plain"]);
    if (args[0] === "--format=pax") assert.equal(types.get("plain")?.mtimeNs, 250_000_000);
    if (args.includes("--sparse")) assert(tar.length < 1_000_000);
  });
}
