// What a build sees of a local directory.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs, { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { type Context, openContext } from "../../src/context/context.ts";
import { toRaw } from "../../src/layer/entry.ts";
import { localOptions, noFetching } from "./fetching.ts";

/** Makes a directory of files; names that end in "/" are directories. */
function makeFiles(t: TestContext, files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(path.join(tmpdir(), "slipway-context-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const place = path.join(directory, name);
    mkdirSync(name.endsWith("/") ? place : path.dirname(place), { recursive: true });
    if (!name.endsWith("/")) writeFileSync(place, text);
  }
  return directory;
}

function open(
  directory: string,
  options: { source?: string; dockerfile?: string; subPath?: string; workingDirectory?: string } = {},
): Promise<Context> {
  const { source = directory, dockerfile = "Dockerfile", subPath = "", workingDirectory = directory } = options;
  return openContext(source, { ...localOptions, dockerfile, subPath, workingDirectory, stateDir: "/nonexistent" }, noFetching);
}

/** All paths, parents first. */
function walk(context: Context, from = ""): string[] {
  return context.list(from).flatMap((name) => {
    const place = from === "" ? name : `${from}/${name}`;
    return [place, ...walk(context, place)];
  });
}

test("openContext takes a path, a dir:// URL and a sub-path, and resolves links to its root", async (t) => {
  const directory = makeFiles(t, { "app/Dockerfile": "FROM a", "app/sub/Dockerfile": "FROM b", "app/sub/f": "" });
  symlinkSync("app", path.join(directory, "link"));
  const app = path.join(directory, "app");
  const rows: [options: Parameters<typeof open>[1], directory: string][] = [
    [{ source: app }, app],
    [{ source: `dir://${app}` }, app],
    [{ source: "app" }, app],
    [{ source: "dir://app" }, app],
    [{ source: app, subPath: "sub" }, path.join(app, "sub")],
    [{ source: app, subPath: "/sub/" }, path.join(app, "sub")],
    [{ source: `dir://${app}`, subPath: "sub" }, path.join(app, "sub")],
    [{ source: path.join(directory, "link") }, app],
  ];
  for (const [options, expected] of rows) {
    const context = await open(directory, options);
    assert.equal(context.location, expected, JSON.stringify(options));
    assert.equal(context.dockerfile.path, path.join(expected, "Dockerfile"));
    assert.ok(context.list("").length > 0);
    await context.close();
  }
});

test("openContext refuses what it cannot open, naming it", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "FROM a", file: "" });
  const rows: [source: string, message: RegExp][] = [
    ["", /^Cannot open context "": it is empty$/],
    ["/no/such/place", /^Cannot open context "\/no\/such\/place": directory "\/no\/such\/place" does not exist$/],
    ["dir:///no/such/place", /directory "\/no\/such\/place" does not exist/],
    [path.join(directory, "file"), /^Cannot open context ".*file": ".*file" is no directory$/],
    [path.join(directory, "file/x"), /directory ".*file\/x" cannot be reached/],
    ["~/x", /directory ".*\/~\/x" does not exist/],
    ["gs://b/c", /gs:\/\/ is not yet supported$/],
    ["s3://b/c", /s3:\/\/ is not yet supported$/],
    ["https://a.blob.core.windows.net/b/c.tar.gz", /Azure's storage keys are not yet supported$/],
    [
      "ftp://user:word@host/x",
      /^Cannot open context ".*": unknown build context prefix provided, please use one of the following: gs:\/\/, dir:\/\/, tar:\/\/, s3:\/\/, git:\/\/, https:\/\/$/,
    ],
    ["oci://x", /unknown build context prefix/],
  ];
  for (const [source, message] of rows) await assert.rejects(open(directory, { source }), { message }, source);
});

test("the Dockerfile is looked up from the working directory, then in the context", async (t) => {
  const directory = makeFiles(t, {
    "cwd/Dockerfile": "cwd",
    "cwd/only": "only",
    "ctx/Dockerfile": "ctx",
    "ctx/build.docker": "named",
    "ctx/docker/Dockerfile": "deep",
    "ctx/docker/dockerfile": "lower",
    "ctx/low/dockerfile": "low",
    "empty/": "",
    "lower/dockerfile": "lower",
  });
  const rows: [cwd: string, context: string, name: string, text: string | RegExp][] = [
    ["cwd", "ctx", "Dockerfile", "cwd"],
    ["empty", "ctx", "Dockerfile", "ctx"],
    ["cwd", "ctx", "build.docker", "named"],
    ["cwd", "empty", "only", "only"],
    ["empty", "ctx", "docker/Dockerfile", "deep"],
    ["empty", "ctx", "low/Dockerfile", "low"],
    ["empty", "lower", "Dockerfile", "lower"],
    ["lower", "ctx", "Dockerfile", "ctx"],
    ["empty", "ctx", path.join(directory, "cwd/only"), "only"],
    ["empty", "ctx", "docker", /^Cannot read Dockerfile "docker": ".*\/ctx\/docker" is a directory$/],
    [
      "empty",
      "ctx",
      "nope",
      /^Cannot read Dockerfile "nope": there is no file ".*\/empty\/nope" and ".*\/ctx\/nope"; please provide a valid path to a Dockerfile/,
    ],
    ["empty", "ctx", "", /its name is empty/],
  ];
  for (const [cwd, source, dockerfile, expected] of rows) {
    const opened = open(path.join(directory, source), { dockerfile, workingDirectory: path.join(directory, cwd) });
    if (typeof expected === "string") assert.equal((await opened).dockerfile.text, expected, dockerfile);
    else await assert.rejects(opened, { message: expected }, dockerfile);
  }
});

test("the ignore file beside the Dockerfile replaces the context's", async (t) => {
  const directory = makeFiles(t, {
    "d/Dockerfile": "",
    "d/Dockerfile.dockerignore": "a",
    "ctx/.dockerignore": "b",
    "ctx/Dockerfile": "",
    "ctx/a": "",
    "ctx/b": "",
  });
  const beside = await open(path.join(directory, "ctx"), { dockerfile: "../d/Dockerfile" });
  assert.deepEqual(walk(beside), [".dockerignore", "Dockerfile", "b"]);
  const root = await open(path.join(directory, "ctx"));
  assert.deepEqual(walk(root), [".dockerignore", "Dockerfile", "a"]);
});

test("an ignored Dockerfile is still readable, and hidden from COPY", async (t) => {
  const context = await open(makeFiles(t, { Dockerfile: "FROM a", ".dockerignore": "Dockerfile\n.dockerignore", a: "" }));
  assert.equal(context.dockerfile.text, "FROM a");
  assert.deepEqual(walk(context), ["a"]);
  assert.equal(context.lstat("Dockerfile"), undefined);
  assert.ok(context.isIgnored("Dockerfile"));
});

test("a malformed ignore file stops with file, line and column; a directory of that name hides nothing", async (t) => {
  const bad = makeFiles(t, { Dockerfile: "", ".dockerignore": "ok\n[a" });
  await assert.rejects(open(bad), { message: /^Cannot read .*\/\.dockerignore:2:1: Cannot read pattern "\[a"/ });
  const directory = await open(makeFiles(t, { Dockerfile: "", ".dockerignore/x": "" }));
  assert.deepEqual(walk(directory), [".dockerignore", ".dockerignore/x", "Dockerfile"]);
});

const ignoreRows: [name: string, ignore: string, files: string[], seen: string[]][] = [
  ["re-included children bring their parents", "*\n!a/b/c", ["a/b/c", "a/b/d", "a/x", "z"], ["a", "a/b", "a/b/c"]],
  ["a parent without any visible child is hidden", "*\n!a/b/none", ["a/b/c", "z"], []],
  ["a re-included directory brings all below", "*\n!src", ["src/a", "src/b/c", "z"], ["src", "src/a", "src/b", "src/b/c"]],
  ["a negated name at any depth", "*\n!**/*.md", ["a/b/x.md", "a/y", "z.md", "q/r/s"], ["a", "a/b", "a/b/x.md", "z.md"]],
  ["node_modules at any depth", "**/node_modules", ["node_modules/a", "x/node_modules/b", "x/c"], ["x", "x/c"]],
  ["an empty directory that is re-included", "*\n!d", ["d/", "e/"], ["d"]],
  ["ignored again below", "*\n!a\na/tmp", ["a/tmp/x", "a/y"], ["a", "a/y"]],
];

test("ignored files are not in the view, parents of re-included ones are", async (t) => {
  for (const [name, ignore, files, seen] of ignoreRows) {
    const directory = makeFiles(t, Object.fromEntries(files.map((file) => [file, ""])));
    const dockerfile = path.join(makeFiles(t, { Dockerfile: "", "Dockerfile.dockerignore": ignore }), "Dockerfile");
    const context = await open(directory, { dockerfile });
    assert.deepEqual(walk(context), seen, name);
    const fresh = await open(directory, { dockerfile });
    for (const file of files) {
      const place = file.replace(/\/$/, "");
      assert.equal(fresh.lstat(place) !== undefined, seen.includes(place), `${name}: ${place}`);
    }
  }
});

test("a directory that is ignored as a whole is never looked into", async (t) => {
  const directory = makeFiles(t, {
    Dockerfile: "",
    ".dockerignore": "big\nvendor\n!src/**/*.ts\n!vendor/x/*.md",
    "src/a.ts": "",
    "big/deep/f": "",
    "vendor/x/a.md": "",
    "vendor/y/b.md": "",
  });
  const read = t.mock.method(fs, "readdirSync");
  syncBuiltinESMExports();
  t.after(() => {
    read.mock.restore();
    syncBuiltinESMExports();
  });
  const context = await open(directory);
  assert.deepEqual(walk(context), [".dockerignore", "Dockerfile", "src", "src/a.ts", "vendor", "vendor/x", "vendor/x/a.md"]);
  assert.equal(context.lstat("big/deep/f"), undefined);
  const listed = read.mock.calls.map((call) => path.relative(directory, String(call.arguments[0])));
  assert.deepEqual(listed.sort(), ["", "src", "vendor", "vendor/x"]);
});

test("attributes are those on disk, owned by 0:0, in whole seconds", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "", f: "hello", "d/": "" });
  chmodSync(path.join(directory, "f"), 0o4751);
  chmodSync(path.join(directory, "d"), 0o1777);
  symlinkSync("../no where", path.join(directory, "l"));
  execFileSync("touch", ["-d", "2020-09-13T12:26:40.999999999Z", path.join(directory, "f")]);
  execFileSync("touch", ["-h", "-d", "1969-12-31T23:59:58.5Z", path.join(directory, "d")]);
  execFileSync("touch", ["-h", "-d", "2001-09-09T01:46:40.999999999Z", path.join(directory, "l")]);
  if (process.getuid?.() === 0) execFileSync("chown", ["-h", "7:8", path.join(directory, "l")]);
  const context = await open(directory);
  const common = { uid: 0, gid: 0, mtimeNs: 0, link: "", devMajor: 0, devMinor: 0, size: 0 };
  assert.deepEqual(context.lstat("f")?.attributes, { ...common, type: "file", mode: 0o4751, mtime: 1_600_000_000, size: 5 });
  assert.deepEqual(context.lstat("d")?.attributes, { ...common, type: "directory", mode: 0o1777, mtime: -2 });
  assert.deepEqual(context.lstat("l")?.attributes, { ...common, type: "symlink", mode: 0o777, mtime: 1_000_000_000, link: "../no where" });
  assert.equal(context.lstat("")?.attributes.type, "directory");
  assert.deepEqual(context.content("f"), { kind: "file", path: toRaw(path.join(directory, "f")), offset: 0, size: 5 });
});

test("names keep their bytes and are sorted by them", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "", b: "", B: "", é: "" });
  writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0x66, 0xff])]), "raw");
  symlinkSync(Buffer.from([0xfe]), Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xfd])]));
  const context = await open(directory);
  assert.deepEqual(context.list(""), ["B", "Dockerfile", "b", "f\xff", "\xc3\xa9", "\xfd"]);
  assert.equal(context.lstat("f\xff")?.attributes.size, 3);
  assert.equal(context.lstat("\xfd")?.attributes.link, "\xfe");
});

test("names of one hard-linked file share an inode, others do not", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "", a: "1", c: "1" });
  linkSync(path.join(directory, "a"), path.join(directory, "b"));
  const context = await open(directory);
  const inode = (name: string) => context.lstat(name)?.inode;
  assert.equal(inode("a"), inode("b"));
  assert.notEqual(inode("a"), inode("c"));
});

test("sockets are empty files, pipes stay pipes", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "" });
  const server = createServer().listen(path.join(directory, "socket"));
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  execFileSync("mkfifo", ["-m", "600", path.join(directory, "pipe")]);
  const context = await open(directory);
  assert.equal(context.lstat("socket")?.attributes.type, "file");
  assert.equal(context.lstat("socket")?.attributes.size, 0);
  assert.deepEqual(context.content("socket"), { kind: "bytes", bytes: new Uint8Array() });
  const { type, mode } = context.lstat("pipe")?.attributes ?? {};
  assert.deepEqual({ type, mode }, { type: "fifo", mode: 0o600 });
  assert.throws(() => context.content("pipe"), { message: 'Cannot use "pipe" of the context: it is no regular file' });
});

test("device nodes keep their numbers", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "" });
  const rows: [place: string, type: string, major: number, minor: number][] = [["/dev/null", "char", 1, 3]];
  if (process.getuid?.() === 0) {
    execFileSync("mknod", [path.join(directory, "c"), "c", "511", "70000"]);
    execFileSync("mknod", [path.join(directory, "b"), "b", "7", "300"]);
    rows.push([path.join(directory, "c"), "char", 511, 70000], [path.join(directory, "b"), "block", 7, 300]);
  }
  for (const [place, ...expected] of rows) {
    const context = await open(path.dirname(place), { dockerfile: path.join(directory, "Dockerfile") });
    const { type, devMajor, devMinor } = context.lstat(path.basename(place))?.attributes ?? {};
    assert.deepEqual([type, devMajor, devMinor], expected, place);
  }
});

test("an ignore file that nobody can have written by hand is refused, and no pipe is waited for", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "" });
  const place = path.join(directory, ".dockerignore");
  execFileSync("mkfifo", [place]);
  await assert.rejects(open(directory), { message: `Cannot read ignore file "${place}": it is no regular file` });
  unlinkSync(place);
  writeFileSync(place, "");
  truncateSync(place, 2 ** 24 + 1);
  await assert.rejects(open(directory), { message: `Cannot read ignore file "${place}": it has 16777217 bytes; 16777216 are the limit` });
});

test("a state directory in the context is no part of it, be it there yet or not", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "", "a/x": "", "a/y": "", "state/blob": "", ".dockerignore": "a\n!a/y\n!state\n" });
  symlinkSync(directory, `${directory}.link`);
  t.after(() => unlinkSync(`${directory}.link`));
  const rows: [stateDir: string, left: string[], within: string | undefined][] = [
    [path.join(directory, "state"), [".dockerignore", "Dockerfile", "a", "a/y"], "state"],
    [path.join(`${directory}.link`, "a/y"), [".dockerignore", "Dockerfile", "state", "state/blob"], "a/y"],
    [path.join(directory, "b/new"), [".dockerignore", "Dockerfile", "a", "a/y", "state", "state/blob"], "b/new"],
    [`${directory}-elsewhere`, [".dockerignore", "Dockerfile", "a", "a/y", "state", "state/blob"], undefined],
    [path.dirname(directory), [".dockerignore", "Dockerfile", "a", "a/y", "state", "state/blob"], undefined],
  ];
  for (const [stateDir, left, within] of rows) {
    const context = await openContext(directory, { ...localOptions, workingDirectory: directory, stateDir }, noFetching);
    assert.deepEqual([walk(context), context.stateDir], [left, within], stateDir);
  }
});

test("no symlink is followed, wherever it leads", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "", "d/f": "" });
  symlinkSync("/etc", path.join(directory, "out"));
  symlinkSync("d", path.join(directory, "in"));
  symlinkSync("loop", path.join(directory, "loop"));
  const context = await open(directory);
  for (const place of ["out/passwd", "in/f", "loop/x", "Dockerfile/x", "none/x"]) assert.equal(context.lstat(place), undefined, place);
  for (const place of ["out", "in", "loop", "Dockerfile", "none"]) assert.deepEqual(context.list(place), [], place);
  assert.deepEqual(walk(context), ["Dockerfile", "d", "d/f", "in", "loop", "out"]);
});

test("a file that disappears after it was listed is an error that names it", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "", "d/f": "x" });
  const context = await open(directory);
  assert.equal(context.lstat("d/g"), undefined);
  assert.throws(() => context.content("d/g"), { message: 'Cannot use "d/g" of the context: it is not there' });
  assert.deepEqual(context.list("d"), ["f"]);
  unlinkSync(path.join(directory, "d/f"));
  const gone = { message: 'Cannot use "d/f" of the context: it disappeared while the build was using it' };
  assert.throws(() => context.lstat("d/f"), gone);
  assert.throws(() => context.content("d/f"), gone);
});

test("what cannot be read is an error only where it is used", async (t) => {
  const directory = makeFiles(t, { Dockerfile: "", "locked/f": "", a: "" });
  const { readdirSync } = fs;
  const read = t.mock.method(fs, "readdirSync", (place: Buffer, options: { encoding: "latin1" }) => {
    if (String(place).endsWith("/locked")) throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
    return readdirSync(place, options);
  });
  syncBuiltinESMExports();
  t.after(() => {
    read.mock.restore();
    syncBuiltinESMExports();
  });
  const context = await open(directory);
  assert.deepEqual(context.list(""), ["Dockerfile", "a", "locked"]);
  assert.equal(context.lstat("locked")?.attributes.type, "directory");
  assert.throws(() => context.list("locked"), { message: 'Cannot use "locked" of the context: the directory cannot be read' });
});

test("isIgnored answers for paths that do not exist", async (t) => {
  const context = await open(makeFiles(t, { Dockerfile: "", ".dockerignore": "*.log\ntmp\n!tmp/keep" }));
  const rows: [string, boolean][] = [
    ["", false],
    ["a.log", true],
    ["tmp", true],
    ["tmp/x/y", true],
    ["tmp/keep", false],
    ["src/a.log", false],
  ];
  for (const [place, expected] of rows) assert.equal(context.isIgnored(place), expected, place);
});
