// Contexts that are elsewhere: repositories, archives, files on the web.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Context, type ContextOptions, type FetchTools, openContext } from "../../src/context/context.ts";
import { type RawPath, toText } from "../../src/layer/entry.ts";
import { temporaryDirectory } from "../support/build.ts";
import { startGitServer } from "../support/git-server.ts";
import { serve } from "../support/web.ts";
import { fetchingInto, localOptions, noGit } from "./fetching.ts";

/** All paths with owner and content. */
function linesOf(context: Context, at: RawPath = ""): string[] {
  return context.list(at).flatMap((name) => {
    const path = at === "" ? name : `${at}/${name}`;
    const { type, mode, uid, gid, link } = context.lstat(path)?.attributes ?? assert.fail(path);
    const head = `${type} ${mode.toString(8)} ${uid}:${gid} ${toText(path)}`;
    if (type === "directory") return [head, ...(name === ".git" ? [] : linesOf(context, path))];
    return [type === "file" ? `${head} ${textOf(context, path)}` : `${head} ${link}`];
  });
}

function textOf(context: Context, path: RawPath): string {
  const content = context.content(path);
  if (content.kind === "bytes") return Buffer.from(content.bytes).toString();
  return readFileSync(content.path)
    .subarray(content.offset, content.offset + content.size)
    .toString();
}

interface Given extends Partial<Omit<ContextOptions, "git">> {
  readonly git?: Partial<ContextOptions["git"]>;
  readonly tools?: Partial<FetchTools>;
}

/** Opens it and sees to it that nothing stays. */
async function open(t: TestContext, source: string, given: Given = {}): Promise<Context> {
  const { git, tools, ...options } = given;
  const directory = mkdtempSync(join(tmpdir(), "slipway-fetch-"));
  const opening = openContext(
    source,
    { ...localOptions, ...options, git: { ...noGit, ...git } },
    { ...fetchingInto(t, directory), ...tools },
  );
  t.after(async () => {
    await opening.then((context) => context.close()).catch(() => {});
    rmdirSync(directory);
  });
  return opening;
}

/** A directory of files. */
async function makeFiles(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await temporaryDirectory(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

function pack(directory: string, ...more: string[]): Buffer {
  return execFileSync("tar", ["-c", "-C", directory, "--owner=5", "--group=6", "--mode=a+rX,u+w,go-w", "--sort=name", ...more, "."]);
}

const files = { Dockerfile: "FROM x", ".dockerignore": "hidden\n", "a/f": "F", hidden: "H", "sub/Dockerfile": "FROM sub" };
const lines = ["file 644 5:6 .dockerignore hidden\n", "file 644 5:6 Dockerfile FROM x", "directory 755 5:6 a", "file 644 5:6 a/f F"];
const unpacked = [...lines, "directory 755 5:6 sub", "file 644 5:6 sub/Dockerfile FROM sub"];

describe("an archive is unpacked, its ignore file heeded, its owners kept", () => {
  const wrap = (program: string) => (tar: Buffer) => execFileSync(program, ["-c"], { input: tar });
  const wrappings: readonly (readonly [name: string, wrap: (tar: Buffer) => Buffer])[] = [
    ["plain", (tar) => tar],
    ["gzip", gzipSync],
    ["bzip2", wrap("bzip2")],
    ["xz", wrap("xz")],
    ["zstd", wrap("zstd")],
  ];
  for (const [name, wrapped] of wrappings)
    test(name, async (t) => {
      const directory = await makeFiles(t, files);
      const bytes = wrapped(pack(directory));
      const path = join(await temporaryDirectory(t), "context");
      writeFileSync(path, bytes);
      const address = await serve(t, (_, response) => response.end(bytes));
      for (const source of [`tar://${path}`, `${address}/x`]) {
        const context = await open(t, source);
        assert.deepEqual(linesOf(context), unpacked, source);
        assert.deepEqual(context.dockerfile, { path: "Dockerfile", text: "FROM x" });
        assert.ok(context.isIgnored("hidden"));
      }
      const read = await open(t, "tar://stdin", { tools: { stdin: () => createReadStream(path) } });
      assert.deepEqual(linesOf(read), unpacked);
    });
});

test("the Dockerfile is looked for in the working directory first; the ignore file beside it counts", async (t) => {
  const cwd = await makeFiles(t, { "other.df": "FROM other", "other.df.dockerignore": "a\n" });
  const packed = join(await temporaryDirectory(t), "context.tar");
  writeFileSync(packed, pack(await makeFiles(t, { ...files, "sub/Dockerfile.dockerignore": "sub\n" })));
  const rows: readonly (readonly [options: Given, text: string, path: string, seen: readonly string[]])[] = [
    [{}, "FROM x", "Dockerfile", [".dockerignore", "Dockerfile", "a", "sub"]],
    [{ dockerfile: "other.df" }, "FROM other", `${cwd}/other.df`, [".dockerignore", "Dockerfile", "hidden", "sub"]],
    [{ dockerfile: "sub/Dockerfile" }, "FROM sub", "sub/Dockerfile", [".dockerignore", "Dockerfile", "a", "hidden"]],
    [{ dockerfile: "/sub/../sub/Dockerfile" }, "FROM sub", "sub/Dockerfile", [".dockerignore", "Dockerfile", "a", "hidden"]],
    [{ subPath: "sub" }, "FROM sub", "Dockerfile", ["Dockerfile", "Dockerfile.dockerignore"]],
    [{ subPath: "/sub/" }, "FROM sub", "Dockerfile", ["Dockerfile", "Dockerfile.dockerignore"]],
  ];
  for (const [options, text, path, seen] of rows) {
    const context = await open(t, `tar://${packed}`, { workingDirectory: cwd, ...options });
    assert.deepEqual([context.dockerfile.text, context.dockerfile.path], [text, path]);
    assert.deepEqual(context.list(""), seen);
  }
});

test("a file on the web that is no archive is the Dockerfile, and all there is", async (t) => {
  const address = await serve(t, (_, response) => response.setHeader("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT").end("FROM web"));
  const context = await open(t, `${address}/Dockerfile`);
  assert.deepEqual(linesOf(context), ["file 600 0:0 context FROM web"]);
  assert.deepEqual(context.dockerfile, { path: "context", text: "FROM web" });
  assert.equal(context.lstat("context")?.attributes.mtime, 1_700_000_000);
  const cwd = await makeFiles(t, { mine: "FROM mine" });
  assert.equal((await open(t, `${address}/x`, { workingDirectory: cwd, dockerfile: "mine" })).dockerfile.text, "FROM mine");
});

test("a Dockerfile may come from the web, its secrets unseen", async (t) => {
  const address = await serve(t, (request, response) => response.end(`FROM ${request.headers.authorization}`));
  const directory = await makeFiles(t, { f: "" });
  const given = { dockerfile: address.replace("://", "://me:s3cret@"), workingDirectory: directory };
  const { dockerfile } = await open(t, directory, given);
  assert.deepEqual(dockerfile, { path: `${address}/`, text: `FROM Basic ${Buffer.from("me:s3cret").toString("base64")}` });
});

test("a repository is checked out without .git, its ignore file heeded", async (t) => {
  const server = await startGitServer(t);
  const cwd = await makeFiles(t, { df: "FROM x", "df.dockerignore": "link\n" });
  const given = { workingDirectory: cwd, dockerfile: "df" };
  const first = ["directory 755 0:0 bin", "file 755 0:0 bin/tool #!", "file 644 0:0 file one"];
  const url = server.url("smart");
  const rows: readonly (readonly [source: string, expected: readonly string[], given?: Given])[] = [
    [`${url}#v1`, first],
    [`${url}#v1:bin`, ["file 755 0:0 tool #!"]],
    [url, ["file 755 0:0 tool #!"], { subPath: "bin" }],
    [`${url}#v1`, ["file 755 0:0 tool #!"], { subPath: "bin" }],
    [`${url.replace("http:", "git:")}#refs/tags/v1`, first],
    [`${url.replace("http:", "git:")}#refs/heads/main#${server.commits.first}`, first],
    [`${url.replace("http:", "git:")}`, first, { git: { branch: "v1" } }],
    [`${url}#v1`, ["directory 755 0:0 .git", ...first], { keepGitDir: true }],
  ];
  for (const [source, expected, more] of rows) {
    const context = await open(t, source, { ...given, ...more });
    assert.deepEqual(linesOf(context), expected, source);
    assert.equal(context.time, Date.parse("2001-02-03T04:05:06Z") / 1000);
    assert.ok([server.commits.first, server.commits.second].includes(context.commit ?? ""));
  }
  const dated = await open(t, `${url}#v1`, { ...given, mtime: "commit" });
  assert.equal(dated.lstat("file")?.attributes.mtime, dated.time);
});

test("submodules come where BuildKit brings them, and with kaniko's git:// on demand", async (t) => {
  const server = await startGitServer(t);
  const given = { workingDirectory: await makeFiles(t, { Dockerfile: "FROM x" }) };
  const url = server.url("smart");
  const rows: readonly (readonly [source: string, submodules: boolean | undefined, come: boolean])[] = [
    [url, undefined, true],
    [url, false, false],
    [url.replace("http:", "git:"), undefined, false],
    [url.replace("http:", "git:"), true, true],
  ];
  for (const [source, submodules, come] of rows) {
    const context = await open(t, source, { ...given, git: { submodules } });
    assert.equal(context.lstat("deps/sub/lib.txt") !== undefined, come, `${source} ${submodules}`);
  }
});

test("kaniko's environment, or the address, says who we are to the repository's host", async (t) => {
  const server = await startGitServer(t, `basic ${Buffer.from("me:s3cret").toString("base64")}`);
  const given = { workingDirectory: await makeFiles(t, { Dockerfile: "FROM x" }) };
  const url = server.url("smart").replace("http:", "git:");
  const credentials = { username: "me", password: "s3cret" };
  const wrong = { username: "me", password: "wr0ng" };
  const withUser = url.replace("://", "://me:s3cret@");
  const rows: readonly (readonly [source: string, given: ContextOptions["git"]["credentials"], isLetIn: boolean])[] = [
    [url, undefined, false],
    [url, credentials, true],
    [url, wrong, false],
    [withUser, wrong, true],
    [`${withUser}?submodules=1&keep-git-dir=1`, undefined, true],
  ];
  for (const [source, credentials, isLetIn] of rows) {
    const opening = open(t, source, { ...given, git: { credentials } });
    if (!isLetIn)
      await assert.rejects(
        opening,
        (error: Error) => /Authentication failed|could not read/.test(error.message) && !/s3cret|wr0ng/.test(error.message),
      );
    else if (source.includes("keep-git-dir")) assert.doesNotMatch(textOf(await opening, ".git/config"), /s3cret|bWU6/);
    else await opening;
  }
});

describe("what SOURCE_DATE_EPOCH would take from it", () => {
  const modified = "Tue, 14 Nov 2023 22:13:20 GMT";
  const rows: readonly (readonly [what: string, headers: Record<string, string>, body: "archive" | "text", time: number | undefined])[] = [
    ["the host's word", { "last-modified": modified }, "archive", 1_700_000_000],
    ["else the newest file", {}, "archive", 1_600_000_000],
    ["the host's word of a single file", { "last-modified": modified }, "text", 1_700_000_000],
    ["nothing of a single file without", {}, "text", undefined],
  ];
  for (const [what, headers, body, time] of rows)
    test(what, async (t) => {
      const directory = await makeFiles(t, { Dockerfile: "FROM x", old: "" });
      execFileSync("touch", ["-d", "@1600000000", join(directory, "Dockerfile")]);
      execFileSync("touch", ["-d", "@1500000000", join(directory, "old")]);
      const bytes = body === "text" ? "FROM y" : pack(directory);
      const address = await serve(t, (_, response) => response.writeHead(200, headers).end(bytes));
      assert.equal((await open(t, `${address}/x`)).time, time);
    });
});

describe("nothing leads out of it:", () => {
  const hostile = async (t: TestContext, make: (directory: string) => void, ...more: string[]): Promise<string> => {
    const directory = await makeFiles(t, { real: "R" });
    make(directory);
    const path = join(await temporaryDirectory(t), "context.tar");
    writeFileSync(path, pack(directory, ...more));
    return `tar://${path}`;
  };
  test("a Dockerfile that is a link", async (t) => {
    const source = await hostile(t, (directory) => symlinkSync("/etc/passwd", join(directory, "Dockerfile")));
    await assert.rejects(open(t, source), /Cannot read Dockerfile "Dockerfile": there is no file .* and "Dockerfile" in "tar:/);
    const inside = await hostile(t, (directory) => symlinkSync("/../real", join(directory, "Dockerfile")));
    assert.equal((await open(t, inside)).dockerfile.text, "R");
  });
  test("an ignore file that is a link", async (t) => {
    const source = await hostile(t, (directory) => {
      writeFileSync(join(directory, "Dockerfile"), "FROM x");
      symlinkSync("/etc/passwd", join(directory, ".dockerignore"));
    });
    assert.deepEqual((await open(t, source)).list(""), [".dockerignore", "Dockerfile", "real"]);
  });
  test("names with .. and links on the way", async (t) => {
    const outside = await temporaryDirectory(t);
    const source = await hostile(
      t,
      (directory) => {
        writeFileSync(join(directory, "Dockerfile"), "FROM x");
        mkdirSync(join(directory, "d"));
        writeFileSync(join(directory, "d/evil"), "E");
        symlinkSync(outside, join(directory, "a-link"));
      },
      "--absolute-names",
      "--transform=s,^\\./d/evil,../../up,",
      "--transform=s,^\\./real,a-link/through,",
    );
    const context = await open(t, source);
    assert.deepEqual(
      linesOf(context)
        .filter((line) => line.startsWith("file"))
        .map((line) => line.replace(/.*:6 /, "")),
      ["Dockerfile FROM x", `${outside.slice(1)}/through R`, "up E"],
    );
    assert.deepEqual(readdirSync(outside), []);
  });
  test("a sub-path that is a link out", async (t) => {
    const source = await hostile(t, (directory) => symlinkSync("/etc", join(directory, "out")));
    await assert.rejects(open(t, source, { subPath: "out" }), /^Error: Cannot open context "tar:.*": there is no directory "out" in it$/);
  });
});

test("what cannot be used is named, and leaves nothing", async (t) => {
  const server = await startGitServer(t);
  const address = await serve(t, (request, response) => {
    if (request.url === "/cut.tar") response.end(pack("/etc/apt").subarray(0, 2000));
    else response.writeHead(404).end();
  });
  const directory = await makeFiles(t, { text: "no archive", "cut.tar": "" });
  writeFileSync(join(directory, "cut.tar"), Buffer.concat([pack(directory).subarray(0, 700), Buffer.alloc(10, "x")]));
  const rows: readonly (readonly [source: string, message: RegExp])[] = [
    [`${server.url("smart")}#nope`, /Cannot use git repository "http:.*": it does not contain ref nope: there is no refs\/nope and/],
    [
      `${address.replace("://", "://u:s3cret@")}/none.tar.gz`,
      /^Cannot download "http:\/\/127[^@]*\/none\.tar\.gz": invalid response status 404$/,
    ],
    [`tar://${directory}/none`, /^Cannot open context "tar:.*none": ".*none" cannot be read: ENOENT/],
    [`tar://${directory}`, /^Cannot open context "tar:.*": it is no archive: neither a tar nor one in gzip, bzip2, xz or zstd$/],
    [`tar://${directory}/text`, /: it is no archive/],
    [`tar://${directory}/cut.tar`, /^Cannot open context "tar:.*cut\.tar": its archive is damaged: it ends at byte/],
    ["tar://stdin", /^Cannot open context "tar:\/\/stdin": standard input is a terminal; pipe the archive in$/],
  ];
  for (const [source, message] of rows) await assert.rejects(open(t, source), { message }, source);
  assert.ok(existsSync(join(directory, "cut.tar")));
});
