// A git repository with some history, and a web server for it: with git's own program behind it, or as nothing but files.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryDirectory } from "./build.ts";
import { makeCertificate } from "./certificate.ts";

const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"];
/** That of `app.git`. */
const dockerfile = "FROM scratch\nCOPY file Dockerfile /app/\n";
const date = "2001-02-03T04:05:06Z";

export interface GitServer {
  /** `http://127.0.0.1:PORT/smart/repo.git`, spoken to by git's protocol; `dumb` for files alone. */
  url(kind: "smart" | "dumb", repository?: string): string;
  /** The commits of `repo.git`: `first` is tagged v1, `second` is main's, `hidden` no ref leads to but `refs/pull/1/head`. */
  readonly commits: { readonly first: string; readonly second: string; readonly hidden: string; readonly tag: string };
  /** The certificate that it shows, a PEM file; "" where it speaks plain HTTP. */
  readonly certificate: string;
  /** Requests so far. */
  readonly asked: string[];
}

/** With `authorization`, only requests that carry it are answered; with `tls`, over https. */
export async function startGitServer(t: TestContext, authorization?: string, tls = false): Promise<GitServer> {
  const root = await temporaryDirectory(t);
  const certificate = tls ? await makeCertificate(root) : "";
  const asked: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    asked.push(`${request.method} ${request.url}`);
    const url = request.url ?? "";
    if (authorization !== undefined && request.headers.authorization?.replace(/^basic/i, "basic") !== authorization)
      response.writeHead(401, { "www-authenticate": "Basic" }).end();
    else if (url.startsWith("/smart/")) runBackend(root, request, response);
    else sendFile(join(root, url.replace("/dumb/", "/").replace(/\?.*$/, "")), response);
  };
  const keys = () => ({ cert: readFileSync(certificate), key: readFileSync(join(root, "key.pem")) });
  const server = tls ? createTlsServer(keys(), answer) : createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url: GitServer["url"] = (kind, repository = "repo") =>
    `${tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}/${kind}/${repository}.git`;
  return { url, asked, certificate, commits: makeRepositories(root, url("smart", "library")) };
}

function makeRepositories(root: string, library: string): GitServer["commits"] {
  const tree = join(root, "work");
  const git = (...args: string[]) =>
    execFileSync("git", [...identity, ...args], {
      cwd: tree,
      env: { PATH: process.env.PATH, HOME: "/dev/null", GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
      stdio: ["ignore", "pipe", "ignore"],
      encoding: "utf8",
    }).trim();
  const write = (path: string, text: string, mode = 0o644) => {
    mkdirSync(join(tree, path, ".."), { recursive: true });
    writeFileSync(join(tree, path), text, { mode });
  };
  const commit = (message: string) => {
    git("add", "--all");
    git("commit", "--quiet", "--message", message);
    return git("rev-parse", "HEAD");
  };
  mkdirSync(tree);
  git("init", "--quiet", "--initial-branch=main");
  write("lib.txt", "library");
  commit("library");
  git("clone", "--quiet", "--bare", tree, join(root, "library.git"));
  git("checkout", "--quiet", "--orphan", "fresh");
  git("rm", "--quiet", "-rf", ".");
  write("file", "one");
  write("bin/tool", "#!", 0o755);
  symlinkSync("bin/tool", join(tree, "link"));
  const first = commit("first");
  git("tag", "--annotate", "--message", "version 1", "v1");
  git("branch", "--force", "main");
  git("checkout", "--quiet", "main");
  write("file", "two");
  writeFileSync(join(tree, ".gitmodules"), `[submodule "sub"]\n\tpath = deps/sub\n\turl = ${library}\n`);
  git("update-index", "--add", "--cacheinfo", `160000,${git("--git-dir", join(root, "library.git"), "rev-parse", "main")},deps/sub`);
  git("add", "file", ".gitmodules");
  git("commit", "--quiet", "--message", "second");
  const second = git("rev-parse", "HEAD");
  git("checkout", "--quiet", "--force", "--detach", first);
  write("file", "hidden");
  const hidden = commit("hidden");
  git("update-ref", "refs/pull/1/head", hidden);
  git("init", "--quiet", "--bare", "--initial-branch=main", join(root, "repo.git"));
  git("push", "--quiet", join(root, "repo.git"), "main", "v1", "refs/pull/1/head");
  git("checkout", "--quiet", "--orphan", "app");
  git("rm", "--quiet", "-rf", "--cached", ".");
  write("Dockerfile", dockerfile);
  git("add", "file", "Dockerfile");
  git("commit", "--quiet", "--message", "app");
  git("init", "--quiet", "--bare", "--initial-branch=main", join(root, "app.git"));
  git("push", "--quiet", join(root, "app.git"), "app:main");
  for (const name of ["repo.git", "library.git", "app.git"]) git("--git-dir", join(root, name), "update-server-info");
  return { first, second, hidden, tag: git("rev-parse", "v1") };
}

/** https://git-scm.com/docs/git-http-backend as a CGI program. */
function runBackend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = "", query = ""] = (request.url ?? "").replace("/smart", "").split("?");
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
      HTTP_GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(child.stdin);
  child.stdin.on("error", () => {});
  const parts: Buffer[] = [];
  child.stdout.on("data", (part: Buffer) => parts.push(part));
  child.once("close", () => {
    const answer = Buffer.concat(parts);
    const end = answer.indexOf("\r\n\r\n");
    const headers = answer.subarray(0, end).toString().split("\r\n");
    for (const header of headers) {
      const [name = "", value = ""] = header.split(": ");
      if (name === "Status") response.statusCode = Number.parseInt(value, 10);
      else if (name !== "") response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  });
}

function sendFile(path: string, response: ServerResponse): void {
  try {
    response.end(readFileSync(path));
  } catch {
    response.writeHead(404).end();
  }
}
