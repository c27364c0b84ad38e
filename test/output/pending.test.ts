// Files that appear whole or not at all, and those that can only be written where they are.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { prepareFile } from "../../src/output/pending.ts";
import { readAll } from "./sample-image.ts";

const options = { mode: 0o644, directoryMode: 0o700 };
const source = new URL("../../src/output/pending.ts", import.meta.url).pathname;

function temporary(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "slipway-pending-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const bytes = (text: string) =>
  async function* () {
    yield Buffer.from(text);
  };

/** A program that prepares and commits one file, and prints the error. */
const program = (target: string, size: number) => `
import { prepareFile } from ${JSON.stringify(source)};
const bytes = async function* () { for (let at = 0; at < ${size}; at += 1000) yield Buffer.alloc(Math.min(1000, ${size} - at), "x"); };
try {
  const pending = await prepareFile(${JSON.stringify(target)}, bytes, { mode: 0o644, directoryMode: 0o700 });
  await pending.commit();
  console.log(pending.isInPlace ? "in place" : "replaced");
} catch (error) { console.log(error.message); }`;

/** Runs a shell script in a mount namespace of its own; its first two arguments are Node and the program. */
function runMounted(script: string, code: string): string {
  const flags = process.getuid?.() === 0 ? "-m" : "-rm";
  return execFileSync("unshare", [flags, "sh", "-ec", script, process.execPath, code], { encoding: "utf8", stdio: "pipe" });
}

test("a commit is a rename: a reader of the old file keeps it", async (t) => {
  const target = path.join(temporary(t), "file");
  writeFileSync(target, "old");
  const before = statSync(target).ino;
  const pending = await prepareFile(target, bytes("new"), options);
  assert.ok(!pending.isInPlace);
  await pending.commit();
  assert.equal(readFileSync(target, "utf8"), "new");
  assert.notEqual(statSync(target).ino, before);
});

test("a link to a file stays a link, a dangling one makes its target", async (t) => {
  const directory = temporary(t);
  writeFileSync(path.join(directory, "file"), "old");
  for (const [link, to] of [
    ["link", "file"],
    ["dangling", "made"],
  ] as const) {
    symlinkSync(to, path.join(directory, link));
    await (await prepareFile(path.join(directory, link), bytes("new"), options)).commit();
    assert.equal(readlinkSync(path.join(directory, link)), to);
    assert.equal(readFileSync(path.join(directory, to), "utf8"), "new");
  }
  assert.deepEqual(readdirSync(directory).sort(), ["dangling", "file", "link", "made"]);
});

test("a pipe is written by the commit alone", async (t) => {
  const directory = temporary(t);
  const pipe = path.join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const pending = await prepareFile(pipe, bytes("through"), options);
  assert.ok(pending.isInPlace);
  const reader = spawn("cat", [pipe]);
  const read = readAll(reader.stdout);
  await pending.commit();
  assert.equal(String(await read), "through");
  assert.deepEqual(readdirSync(directory), ["pipe"]);
});

test("devices are written in place, and a full one is an error that says so", async () => {
  const nothing = await prepareFile("/dev/null", bytes("x"), options);
  await nothing.commit();
  assert.ok(statSync("/dev/null").isCharacterDevice());
  const full = await prepareFile("/dev/full", bytes("x"), options);
  await assert.rejects(full.commit(), { message: 'Cannot write "/dev/full": no space left on device' });
});

test("standard output is written to, not replaced, where it is a file", (t) => {
  const log = path.join(temporary(t), "log");
  const script = `{ echo first; "$0" --input-type=module -e "$1"; echo last; } >> ${log}`;
  execFileSync("sh", ["-ec", script, process.execPath, program("/dev/stdout", 3)]);
  assert.equal(readFileSync(log, "utf8"), "first\nxxxin place\nlast\n");
});

const unwritable: [name: string, prepare: (directory: string) => string, message: RegExp][] = [
  ["a directory", (directory) => directory, /^Cannot write ".*": it is a directory$/],
  ["a path below a file", (directory) => path.join(directory, "file/x"), /^Cannot write ".*\/file\/x": ".*\/file" is no directory$/],
];

test("what cannot be written fails when it is prepared", async (t) => {
  const directory = temporary(t);
  writeFileSync(path.join(directory, "file"), "");
  for (const [name, prepare, message] of unwritable)
    await assert.rejects(prepareFile(prepare(directory), bytes("x"), options), { message }, name);
  assert.deepEqual(readdirSync(directory), ["file"]);
});

test("in a directory that is not writable a writable file is written in place, others are refused", (t) => {
  const directory = temporary(t);
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  for (const name of ["open", "closed"]) writeFileSync(path.join(directory, name), "old");
  chmodSync(path.join(directory, "open"), 0o666);
  chmodSync(path.join(directory, "closed"), 0o444);
  chmodSync(directory, 0o555);
  const run = (name: string) =>
    spawnSync(process.execPath, ["--input-type=module", "-e", program(path.join(directory, name), 3)], {
      encoding: "utf8",
      cwd: "/",
      ...nobody,
    }).stdout.trim();
  assert.equal(run("open"), "in place");
  assert.equal(readFileSync(path.join(directory, "open"), "utf8"), "xxx");
  assert.equal(run("closed"), `Cannot write "${path.join(directory, "closed")}": permission denied`);
  assert.equal(run("absent"), `Cannot write "${path.join(directory, "absent")}": permission denied`);
  assert.deepEqual(readdirSync(directory).sort(), ["closed", "open"]);
  chmodSync(directory, 0o755);
});

test("a mount point is written in place, of whatever file system it is", (t) => {
  const directory = temporary(t);
  mkdirSync(path.join(directory, "tmpfs"));
  for (const name of ["same", "source"]) writeFileSync(path.join(directory, name), "old");
  const same = path.join(directory, "same");
  const script = `
    mount --bind ${directory}/source ${same}
    "$0" --input-type=module -e "$1"`;
  assert.match(runMounted(script, program(same, 3)), /^(in place|replaced)\n$/);
  assert.equal(readFileSync(path.join(directory, "source"), "utf8"), "xxx");

  const other = path.join(directory, "other");
  writeFileSync(other, "below");
  const across = `
    mount -t tmpfs none ${directory}/tmpfs
    echo old > ${directory}/tmpfs/file
    mount --bind ${directory}/tmpfs/file ${other}
    "$0" --input-type=module -e "$1"
    cat ${directory}/tmpfs/file`;
  assert.equal(runMounted(across, program(other, 3)), "in place\nxxx");
  assert.equal(readFileSync(other, "utf8"), "below");
  assert.deepEqual(readdirSync(directory).sort(), ["other", "same", "source", "tmpfs"]);
});

test("a full disk is an error that says so, and leaves nothing behind", (t) => {
  const directory = temporary(t);
  const target = path.join(directory, "new/file");
  const script = `
    mount -t tmpfs -o size=64k none ${directory}
    "$0" --input-type=module -e "$1"
    ls -A ${directory}`;
  assert.equal(runMounted(script, program(target, 1_000_000)), `Cannot write "${target}": no space left on device\n`);
});

test("directories are made with the mode that is asked for", async (t) => {
  const directory = temporary(t);
  await (await prepareFile(path.join(directory, "a/b/file"), bytes("x"), options)).commit();
  for (const made of ["a", "a/b"]) assert.equal(statSync(path.join(directory, made)).mode & 0o777, 0o700);
});
