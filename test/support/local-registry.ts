// Debian's docker-registry on a free port of this machine, with the requests it answered, and images put there without the builder.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { makeCertificate } from "./certificate.ts";

const program = "/usr/bin/docker-registry";

export interface LocalRegistryOptions {
  /** The line of a password file, as `htpasswd -nbB` writes it. */
  readonly htpasswd?: string;
  readonly tls?: boolean;
  /** A free one if it is not given. */
  readonly port?: number;
}

/** User `builder` with the password `secret`; bcrypt, cost 5. */
export const builderLine = "builder:$2y$05$FoFk/hSqlUSmMC61SjBTCu.BHiNwWCmLAFMk6JJ.fteIQG06Eofhm";

export interface LocalRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** The certificate that it shows, a PEM file; "" where it speaks plain HTTP. */
  readonly certificate: string;
  /** Requests answered so far, in order. */
  requests(): readonly AnsweredRequest[];
  /** The file that holds a blob of this digest, if it has one. */
  blobPath(digest: string): string;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface AnsweredRequest {
  readonly method: string;
  /** Path and query. */
  readonly uri: string;
  readonly status: number;
  /** Bytes of the answer's body. */
  readonly written: number;
}

/** A registry that goes with the test; undefined after the test was marked as skipped. Where CI is set a missing program is a failure. */
export async function openLocalRegistry(test: TestContext, options: LocalRegistryOptions = {}): Promise<LocalRegistry | undefined> {
  if (!existsSync(program)) {
    if (process.env.CI) throw new Error(`${program} is missing: apt-get install docker-registry`);
    test.skip(`${program} is not installed`);
    return undefined;
  }
  const registry = await startLocalRegistry(mkdtempSync(join(tmpdir(), "slipway-registry-")), options);
  test.after(() => registry[Symbol.asyncDispose]());
  return registry;
}

/** Starts a registry that stores below `folder`, which goes when the registry does. */
export async function startLocalRegistry(folder: string, { htpasswd, tls, port = 0 }: LocalRegistryOptions = {}): Promise<LocalRegistry> {
  const storage = join(folder, "storage");
  const configFile = join(folder, "config.yml");
  const certificate = tls ? await makeCertificate(folder) : "";
  if (htpasswd !== undefined) writeFileSync(join(folder, "htpasswd"), `${htpasswd}\n`);
  const config = {
    version: "0.1",
    log: { level: "info", formatter: "json", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage, maxthreads: 100 }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, secret: "local", ...(tls ? { tls: { certificate, key: join(folder, "key.pem") } } : {}) },
    ...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: "test", path: join(folder, "htpasswd") } } }),
  };
  writeFileSync(configFile, JSON.stringify(config));
  const child = spawn(program, ["serve", configFile], { stdio: ["ignore", "ignore", "pipe"], env: {} });
  const kill = () => void child.kill();
  process.once("exit", kill);
  const requests: AnsweredRequest[] = [];
  const host = await new Promise<string>((resolve, reject) => {
    const last: string[] = [];
    child.once("error", (cause) => reject(new Error("Cannot start docker-registry: is the package docker-registry installed?", { cause })));
    child.once("exit", (code) => reject(new Error(`Cannot start docker-registry: exit code ${code}\n${last.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      last.splice(0, last.length - 5);
      last.push(line);
      const entry = parseLine(line);
      const address = /^listening on ([^\s,]+)/.exec(String(entry.msg))?.[1];
      if (address !== undefined) resolve(address);
      if (String(entry.msg).startsWith("response completed")) {
        requests.push({
          method: String(entry["http.request.method"]),
          uri: String(entry["http.request.uri"]),
          status: Number(entry["http.response.status"]),
          written: Number(entry["http.response.written"] ?? 0),
        });
      }
    });
  });
  return {
    host,
    certificate,
    requests: () => requests,
    blobPath(digest) {
      const hex = digest.replace(/^sha256:/, "");
      return join(storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
    },
    async [Symbol.asyncDispose]() {
      await endProcess(child);
      process.off("exit", kill);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

/** What `pushRootFileSystem` puts in the image's configuration unless it is told otherwise. */
const shellConfig = { Cmd: ["sh"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] };

/** Pushes a root file system, a .tar.gz, as a Docker image of one layer under each `name:tag`. */
export async function pushRootFileSystem(
  host: string,
  file: string,
  names: readonly string[],
  containerConfig: Readonly<Record<string, unknown>> = shellConfig,
): Promise<void> {
  const layer = readFileSync(file);
  const config = Buffer.from(
    JSON.stringify({
      architecture: arch() === "arm64" ? "arm64" : "amd64",
      config: containerConfig,
      created: "2023-11-14T22:13:20Z",
      history: [{ created: "2023-11-14T22:13:20Z", created_by: "make-base" }],
      os: "linux",
      rootfs: { type: "layers", diff_ids: [digestOf(gunzipSync(layer))] },
    }),
  );
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: { mediaType: "application/vnd.docker.container.image.v1+json", size: config.length, digest: digestOf(config) },
    layers: [{ mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip", size: layer.length, digest: digestOf(layer) }],
  });
  for (const repository of new Set(names.map((name) => name.replace(/:.*$/, "")))) {
    for (const blob of [layer, config]) await pushBlob(host, repository, blob);
  }
  for (const name of names) {
    const [repository, tag = "latest"] = name.split(":");
    const headers = { "content-type": "application/vnd.docker.distribution.manifest.v2+json" };
    await request(`http://${host}/v2/${repository}/manifests/${tag}`, { method: "PUT", headers, body: manifest });
  }
}

async function pushBlob(host: string, repository: string, blob: Buffer): Promise<void> {
  const upload = await request(`http://${host}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const url = new URL(upload.headers.get("location") ?? "", `http://${host}`);
  url.searchParams.set("digest", digestOf(blob));
  await request(url.href, { method: "PUT", headers: { "content-type": "application/octet-stream" }, body: new Uint8Array(blob) });
}

async function request(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`Cannot ${init.method} "${url}": the registry answered ${response.status} ${await response.text()}`);
  return response;
}

export const digestOf = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
