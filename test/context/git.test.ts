// What a git repository is checked out to, over git's own protocol and from a server of plain files.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { request as askHttp, type ClientRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { beginCheckout, type Checkout } from "../../src/context/git.ts";
import { parseGitSource } from "../../src/context/git-reference.ts";
import type { Secrets } from "../../src/context/secret.ts";
import type { RawPath } from "../../src/layer/entry.ts";
import { temporaryDirectory } from "../support/build.ts";
import { startGitServer } from "../support/git-server.ts";
import { serve } from "../support/web.ts";

const nothing = { proxies: {}, authorities: [], secrets: new Map<string, Uint8Array>(), sshAgent: undefined };

async function checkOut(
  t: TestContext,
  address: string,
  more: { readonly signal?: AbortSignal; readonly secrets?: Secrets } = {},
): Promise<Checkout> {
  const directory = join(await temporaryDirectory(t), "made");
  const source = parseGitSource(address);
  return (await beginCheckout(source, { ...nothing, directory, signal: new AbortController().signal, ...more })).finished;
}

/** Passes a request on to another server. */
function askFor(url: string, { method, headers }: IncomingMessage, response: ServerResponse): ClientRequest {
  return askHttp(url, { method, headers: { ...headers, host: new URL(url).host } }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
}

/** Paths with what they hold, below where the checkout begins. */
function linesOf(checkout: Checkout, at: RawPath = checkout.base): string[] {
  return checkout.list(at).flatMap((name) => {
    const path = at === "" ? name : `${at}/${name}`;
    const attributes = checkout.lstat(path)?.attributes;
    const mode = attributes?.mode.toString(8);
    if (attributes?.type === "directory") return [`d ${mode} ${path}`, ...(name === ".git" ? [] : linesOf(checkout, path))];
    if (attributes?.type === "symlink") return [`l ${path} ${attributes.link}`];
    const content = checkout.content(path);
    return [`f ${mode} ${path} ${content.kind === "file" ? readFileSync(content.path, "utf8") : ""}`];
  });
}

const tool = ["d 755 bin", "f 755 bin/tool #!"];
const link = "l link bin/tool";

test("a ref of each kind is found, and its files alone are taken", async (t) => {
  const server = await startGitServer(t);
  const { first, second, hidden, tag } = server.commits;
  const rows: readonly (readonly [address: string, file: string])[] = [
    ["", "two"],
    ["#main", "two"],
    ["#v1", "one"],
    ["?tag=v1", "one"],
    ["?branch=main", "two"],
    ["#refs/tags/v1", "one"],
    ["#heads/main", "two"],
    [`#${second}`, "two"],
    [`#${first}`, "one"],
    ["#refs/pull/1/head", "hidden"],
    [`#${hidden}`, "hidden"],
    [`?ref=v1&checksum=${first}`, "one"],
    [`?ref=v1&checksum=${tag.slice(0, 12)}`, "one"],
    [`?ref=main&commit=${first}&fetch-by-commit=true`, "one"],
    ["?submodules=false&mtime=checkout", "two"],
  ];
  for (const [address, file] of rows) {
    const lines = linesOf(await checkOut(t, `${server.url("smart")}${address}`));
    assert.ok(lines.includes(`f 644 file ${file}`), `${address}: ${lines.join(", ")}`);
    assert.ok(!lines.some((line) => line.includes(".git") && !line.includes(".gitmodules")), address);
    if (file !== "two") assert.deepEqual(lines, [...tool, `f 644 file ${file}`, link], address);
  }
});

test("submodules come with it, unless they are not wanted", async (t) => {
  const server = await startGitServer(t);
  const sub = ["d 755 deps", "d 755 deps/sub", "f 644 deps/sub/lib.txt library"];
  assert.deepEqual(
    linesOf(await checkOut(t, server.url("smart"))).filter((line) => line.includes("deps") && !line.includes(".gitmodules")),
    sub,
  );
  const without = linesOf(await checkOut(t, `${server.url("smart")}?submodules=0`));
  assert.deepEqual(
    without.filter((line) => line.includes("lib.txt")),
    [],
  );
});

test("a subdirectory is where it begins", async (t) => {
  const server = await startGitServer(t);
  for (const address of ["#v1:bin", "#:bin/", "?subdir=bin&ref=v1&keep-git-dir"]) {
    const checkout = await checkOut(t, `${server.url("smart")}${address}`);
    assert.deepEqual(linesOf(checkout), ["f 755 bin/tool #!"], address);
    assert.equal(checkout.lstat(".git"), undefined);
  }
});

test("its .git is kept on demand, and finds nothing changed", async (t) => {
  const server = await startGitServer(t);
  const directory = await temporaryDirectory(t);
  const tools = { ...nothing, directory, signal: new AbortController().signal };
  const { finished } = await beginCheckout(parseGitSource(`${server.url("smart")}?keep-git-dir=true#v1`), tools);
  const checkout = await finished;
  assert.ok(linesOf(checkout).includes("d 755 .git"));
  const file = checkout.content("file");
  const root = file.kind === "file" ? file.path.replace(/\/file$/, "") : "";
  const { execFileSync } = await import("node:child_process");
  assert.equal(execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" }), "");
  assert.equal(execFileSync("git", ["describe", "--exact-match"], { cwd: root, encoding: "utf8" }), "v1\n");
  assert.ok(!existsSync(join(root, ".git", "FETCH_HEAD")));
});

test("files are dated by the checkout, or by their commit", async (t) => {
  const server = await startGitServer(t);
  const dated = await checkOut(t, `${server.url("smart")}?mtime=commit`);
  assert.equal(dated.lstat("file")?.attributes.mtime, Date.parse("2001-02-03T04:05:06Z") / 1000);
  const fresh = await checkOut(t, server.url("smart"));
  assert.ok(Math.abs((fresh.lstat("file")?.attributes.mtime ?? 0) - Date.now() / 1000) < 600);
});

test("a server of plain files serves, though it knows no shallow fetches", async (t) => {
  const server = await startGitServer(t);
  for (const [address, file] of [
    ["#v1", "one"],
    [`?submodules=false#${server.commits.first}`, "one"],
    ["?submodules=false", "two"],
  ] as const)
    assert.ok(linesOf(await checkOut(t, `${server.url("dumb")}${address}`)).includes(`f 644 file ${file}`), address);
});

test("what is not there is told with where it was looked for", async (t) => {
  const server = await startGitServer(t);
  const url = server.url("smart");
  const rows: readonly (readonly [address: string, reason: RegExp, hint?: RegExp])[] = [
    [
      `${url}#nope`,
      /Cannot use git repository "http:.*repo\.git": it does not contain ref nope: there is no refs\/nope and no refs\/heads\/nope and no refs\/tags\/nope$/,
    ],
    [`${url}?tag=nope`, /it does not contain ref refs\/tags\/nope: there is no refs\/tags\/nope$/],
    [`${url}#${server.commits.first.slice(0, 9)}`, /does not contain ref/, /all its digits/],
    [`${url}#${"a".repeat(40)}`, /git (fetch|checkout) failed: .*a{40}/],
    [
      `${url}?ref=main&checksum=${server.commits.first}`,
      new RegExp(`expected checksum to match ${server.commits.first}, got ${server.commits.second}`),
    ],
    [`${url}#v1:nope`, /there is no directory "nope" in it at/],
    [`${url}#v1:file`, /there is no directory "file" in it at/],
    [server.url("smart", "nope"), /git ls-remote failed: .*not found/s],
    ["git@127.0.0.1:repo.git", /"git@127\.0\.0\.1:repo\.git": ssh needs an agent$/, /--ssh default/],
  ];
  for (const [address, reason, hint] of rows)
    await assert.rejects(checkOut(t, address), (error) => {
      assert.match(error instanceof Error ? error.message : "", reason);
      if (hint !== undefined) assert.match(String((error as { hint?: string }).hint), hint);
      return true;
    });
});

test("a secret is shown to the repository that it is for, and kept out of its .git", async (t) => {
  const server = await startGitServer(t, "basic eC1hY2Nlc3MtdG9rZW46czNjcmV0");
  const { host } = new URL(server.url("smart"));
  const bytes = (text: string) => new TextEncoder().encode(text);
  const rows: readonly (readonly [secrets: Record<string, string>, isLetIn: boolean])[] = [
    [{}, false],
    [{ GIT_AUTH_TOKEN: "s3cret\n" }, true],
    [{ [`GIT_AUTH_TOKEN.${host}`]: "s3cret", GIT_AUTH_TOKEN: "other" }, true],
    [{ GIT_AUTH_HEADER: "basic eC1hY2Nlc3MtdG9rZW46czNjcmV0", GIT_AUTH_TOKEN: "other" }, true],
    [{ "GIT_AUTH_TOKEN.example.com": "s3cret" }, false],
  ];
  for (const [secrets, isLetIn] of rows) {
    const map = new Map(Object.entries(secrets).map(([id, text]) => [id, bytes(text)]));
    const running = checkOut(t, `${server.url("smart")}?submodules=0&keep-git-dir#v1`, { secrets: map });
    if (isLetIn) {
      const config = (await running).content(".git/config");
      assert.ok(config.kind === "file" && !/s3cret|eC1h/.test(readFileSync(config.path, "utf8")));
    } else await assert.rejects(running, /git ls-remote failed: .*(Authentication failed|could not read Username)/s);
  }
});

test("a login follows to where the host says its repository is, and to no other host", async (t) => {
  const basic = (login: string) => `basic ${Buffer.from(login).toString("base64")}`;
  const server = await startGitServer(t, basic("x-access-token:s3cret"));
  const { port } = new URL(server.url("smart"));
  const seen: (string | undefined)[] = [];
  const address = await serve(t, async (request, response) => {
    const isOther = request.headers.host?.startsWith("localhost") === true;
    if (isOther) seen.push(request.headers.authorization);
    const path = (request.url ?? "").replace(/^\/(?:here|there)/, "");
    const { host } = new URL(address);
    if (/^\/there/.test(request.url ?? "") && !isOther)
      response.writeHead(302, { location: `http://${host.replace("127.0.0.1", "localhost")}${request.url}` }).end();
    else if (/^\/here\/smart\/repo\//.test(request.url ?? ""))
      response.writeHead(301, { location: `http://${host}${request.url?.replace("/repo/", "/repo.git/")}` }).end();
    else request.pipe(askFor(`http://127.0.0.1:${port}${path}`, request, response));
  });
  const secrets = (id: string, text: string) => new Map([[id, new TextEncoder().encode(text)]]);
  const source = { ...parseGitSource(`${address}/here/smart/repo.git?submodules=0#v1`), remote: `${address}/here/smart/repo` };
  const tools = { ...nothing, directory: await temporaryDirectory(t), signal: new AbortController().signal };
  const { finished } = await beginCheckout(source, { ...tools, secrets: secrets("GIT_AUTH_TOKEN", "s3cret") });
  assert.ok(linesOf(await finished).includes("f 644 file one"));
  const elsewhere = `${address}/there/smart/repo.git?submodules=0#v1`;
  for (const [id, text] of [
    ["GIT_AUTH_TOKEN", "s3cret"],
    ["GIT_AUTH_HEADER", basic("x-access-token:s3cret")],
    ["GIT_AUTH_HEADER", "bearer s3cret"],
  ] as const)
    await assert.rejects(checkOut(t, elsewhere, { secrets: secrets(id, text) }), /git ls-remote failed/);
  await assert.rejects(checkOut(t, elsewhere.replace("://", "://x-access-token:s3cret@")), /git ls-remote failed/);
  assert.ok(seen.length > 0 && seen.every((authorization) => authorization === undefined), String(seen));
});

test("an abort ends it", async (t) => {
  const server = await startGitServer(t);
  const stop = new AbortController();
  const running = checkOut(t, server.url("smart"), { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
});
