// The cache service of GitHub Actions in this process: both protocols, scopes in the token, blocks, and URLs that expire.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { CiAccess } from "../../src/cache/ci-service.ts";
import { type Fault, sendAnswer } from "./faults.ts";

export interface TestEntry {
  readonly id: number;
  readonly key: string;
  readonly version: string;
  readonly scope: string;
  /** Not part of the entry before they are listed; by block id, or by the place of their first byte. */
  readonly parts: Map<string, Buffer>;
  bytes: Buffer;
  isFinished: boolean;
}

/** Scope → permission: 1 reads, 2 writes, 3 does both. */
export type Permissions = Readonly<Record<string, number>>;

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface TestCacheService {
  readonly url: string;
  readonly requests: { readonly method: string; readonly path: string; status: number }[];
  readonly entries: TestEntry[];
  /** What a runner gives a job; by default one of the main branch. */
  access(permissions?: Permissions, mode?: string): CiAccess;
  order(...faults: Fault[]): void;
  /** Forgets the faults that were ordered. */
  calm(): void;
  /** Makes every URL invalid that was given so far. */
  expireUrls(): void;
  /** Servers that give whole files whatever range was asked for. */
  ignoreRanges(): void;
  /** Entries that a reader can see. */
  find(key: RegExp): TestEntry[];
  remove(key: RegExp): void;
  /** Of requests whose method and path fit. */
  count(method: string, path: RegExp): number;
}

const main: Permissions = { "refs/heads/main": 3 };
/** As real ones, with everything that a URL's query may not show. */
const signature = "a%2Bb%2Fc%3D";

export async function startCacheService(test: Pick<TestContext, "after">, protocol: 1 | 2 = 2): Promise<TestCacheService> {
  const requests: TestCacheService["requests"] = [];
  const faults: (Fault & { left: number })[] = [];
  const entries: TestEntry[] = [];
  let generation = 0;
  let ignoresRanges = false;
  let url = "";

  const server = createServer((request, response) => {
    const logged = { method: request.method ?? "", path: request.url ?? "/", status: 0 };
    requests.push(logged);
    const fits = (fault: Fault & { left: number }) =>
      fault.left > 0 && (fault.method ?? logged.method) === logged.method && (fault.path ?? /^/).test(logged.path);
    const fault = faults.find(fits);
    if (fault !== undefined) fault.left -= 1;
    serve(request, response, logged, fault).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse, logged: { path: string; status: number }, fault?: Fault) {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const answer = fault?.kind === "refuse" ? { status: 500 } : route(request, new URL(logged.path, url), Buffer.concat(chunks));
    await sendAnswer(response, { headers: {}, ...answer }, fault, logged, { host: url, isHead: request.method === "HEAD" });
  }

  function route(request: IncomingMessage, place: URL, body: Buffer): Answer {
    if (place.pathname.startsWith("/blob/")) return serveBlob(request, place, body);
    const scopes = scopesIn(request.headers.authorization);
    if (scopes === undefined) return json(401, { code: "unauthenticated", msg: "invalid token" });
    const method = /^\/twirp\/github\.actions\.results\.api\.v1\.CacheService\/(\w+)$/.exec(place.pathname)?.[1];
    if (protocol === 2 && method !== undefined) return serveV2(method, JSON.parse(body.toString()), scopes);
    const path = /^\/_apis\/artifactcache\/(.*)$/.exec(place.pathname)?.[1];
    if (protocol === 1 && path !== undefined) return serveV1(request, path, place, body, scopes);
    return json(404, { code: "bad_route", msg: "no such service" });
  }

  function serveV2(method: string, asked: Record<string, unknown>, scopes: Permissions): Answer {
    const [key, version] = [String(asked.key), String(asked.version)];
    const scope = Object.keys(scopes).find((name) => ((scopes[name] ?? 0) & 2) !== 0);
    if (method === "GetCacheEntryDownloadURL") {
      const found = lookUp(key, asked.restore_keys as string[], version, scopes);
      return json(200, found === undefined ? { ok: false } : { ok: true, signed_download_url: sign(found, "r"), matched_key: found.key });
    }
    if (scope === undefined) return json(200, { ok: false, message: "cache write denied: token has no writable scopes" });
    if (method === "CreateCacheEntry") {
      const entry = create(key, version, scope);
      if (entry === undefined)
        return json(409, { code: "already_exists", msg: "cache entry with the same key, version, and scope already exists" });
      return json(200, { ok: true, signed_upload_url: sign(entry, "w") });
    }
    const entry = entries.find((one) => one.key === key && one.version === version && one.scope === scope && !one.isFinished);
    if (entry === undefined || entry.bytes.length !== Number(asked.size_bytes)) return json(400, { code: "invalid_argument", msg: "size" });
    entry.isFinished = true;
    return json(200, { ok: true, entry_id: String(entry.id) });
  }

  function serveV1(request: IncomingMessage, path: string, place: URL, body: Buffer, scopes: Permissions): Answer {
    const scope = Object.keys(scopes).find((name) => ((scopes[name] ?? 0) & 2) !== 0);
    if (request.method === "GET" && path === "cache") {
      const keys = place.searchParams.get("keys")?.split(",") ?? [];
      const found = lookUp("", keys, place.searchParams.get("version") ?? "", scopes);
      return found === undefined
        ? { status: 204 }
        : json(200, { cacheKey: found.key, archiveLocation: sign(found, "r"), scope: found.scope });
    }
    if (scope === undefined) return json(403, { message: "cache write denied: token has no writable scopes" });
    if (request.method === "POST" && path === "caches") {
      const { key, version } = JSON.parse(body.toString()) as { key: string; version: string };
      const entry = create(key, version, scope);
      return entry === undefined ? json(409, { message: "Cache already exists" }) : json(201, { cacheId: entry.id });
    }
    const entry = entries.find(({ id, isFinished }) => path === `caches/${id}` && !isFinished);
    if (entry === undefined) return json(404, { message: "no such cache" });
    if (request.method === "PATCH") {
      const [, first = "", end] = /^bytes (\d+)-(\d+)\/\*$/.exec(request.headers["content-range"] ?? "") ?? [];
      if (Number(end) - Number(first) + 1 !== body.length) return json(400, { message: "range" });
      entry.parts.set(first.padStart(15, "0"), body);
      return { status: 204 };
    }
    entry.bytes = Buffer.concat([...entry.parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bytes]) => bytes));
    if (entry.bytes.length !== (JSON.parse(body.toString()) as { size: number }).size) return json(400, { message: "size" });
    entry.isFinished = true;
    return { status: 204 };
  }

  function serveBlob(request: IncomingMessage, place: URL, body: Buffer): Answer {
    const entry = entries.find(({ id }) => place.pathname === `/blob/${id}`);
    const isWrite = request.method === "PUT";
    if (!place.search.startsWith(`?sp=${isWrite ? "w" : "r"}&generation=${generation}&sig=${signature}`))
      return azure(403, "AuthenticationFailed");
    if (entry === undefined) return azure(404, "BlobNotFound");
    if (!isWrite) return serveRange(request, entry.bytes);
    if (request.headers["content-length"] === undefined) return azure(411, "MissingContentLengthHeader");
    const kind = place.searchParams.get("comp");
    if (kind === "block") {
      const id = place.searchParams.get("blockid") ?? "";
      if ([...entry.parts.keys()].some((other) => other.length !== id.length)) return azure(400, "InvalidBlobOrBlock");
      entry.parts.set(id, body);
      return { status: 201 };
    }
    if (kind === "blocklist") {
      const blocks = [...body.toString().matchAll(/<Latest>([^<]+)<\/Latest>/g)].map(([, id = ""]) => entry.parts.get(id));
      const known = blocks.filter((block) => block !== undefined);
      if (known.length !== blocks.length) return azure(400, "InvalidBlockList");
      entry.bytes = Buffer.concat(known);
      return { status: 201 };
    }
    if (request.headers["x-ms-blob-type"] !== "BlockBlob") return azure(400, "MissingRequiredHeader");
    entry.bytes = body;
    return { status: 201 };
  }

  function serveRange(request: IncomingMessage, bytes: Buffer): Answer {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (from === undefined || ignoresRanges) return { status: 200, body: bytes };
    if (Number(from) >= bytes.length) return azure(416, "InvalidRange");
    return { status: 206, body: bytes.subarray(Number(from), Number(to) + 1) };
  }

  function create(key: string, version: string, scope: string): TestEntry | undefined {
    if (entries.some((entry) => entry.key === key && entry.version === version && entry.scope === scope)) return undefined;
    const entry = { id: entries.length + 1, key, version, scope, parts: new Map(), bytes: Buffer.alloc(0), isFinished: false };
    entries.push(entry);
    return entry;
  }

  /** Scope by scope, the exact key before the newest with a prefix. */
  function lookUp(key: string, prefixes: readonly string[], version: string, scopes: Permissions): TestEntry | undefined {
    for (const [scope, bits] of Object.entries(scopes)) {
      if ((bits & 1) === 0) continue;
      const seen = entries.filter((entry) => entry.isFinished && entry.scope === scope && entry.version === version);
      const found = seen.find((entry) => entry.key === key);
      const newest = prefixes.map((prefix) => seen.findLast((entry) => entry.key.startsWith(prefix)));
      const match = found ?? newest.find((entry) => entry !== undefined);
      if (match !== undefined) return match;
    }
    return undefined;
  }

  const sign = ({ id }: TestEntry, allowed: "r" | "w") =>
    `${url}blob/${id}?sp=${allowed}&generation=${generation}&sig=${signature}&se=2026-01-01T00%3A00%3A00Z`;

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url,
    requests,
    entries,
    access: (permissions = main, mode) => ({ protocol, url, token: tokenFor(permissions), ...(mode === undefined ? {} : { mode }) }),
    order: (...more) => faults.push(...more.map((fault) => ({ ...fault, left: fault.times ?? 1 }))),
    calm: () => faults.splice(0),
    expireUrls: () => {
      generation += 1;
    },
    ignoreRanges: () => {
      ignoresRanges = true;
    },
    find: (key) => entries.filter((entry) => entry.isFinished && key.test(entry.key)),
    remove: (key) => {
      for (const entry of entries.filter((one) => key.test(one.key)))
        entries[entries.indexOf(entry)] = { ...entry, key: "removed", isFinished: false };
    },
    count: (method, path) => requests.filter((request) => request.method === method && path.test(request.path)).length,
  };
}

/** Not signed: the service that would check it is this one. */
export function tokenFor(permissions: Permissions): string {
  const ac = JSON.stringify(Object.entries(permissions).map(([Scope, Permission]) => ({ Scope, Permission })));
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "none" })}.${encode({ ac })}.signature`;
}

function scopesIn(authorization: string | undefined): Permissions | undefined {
  const payload = authorization?.match(/^Bearer [^.]+\.([^.]+)\./)?.[1];
  if (payload === undefined) return undefined;
  const { ac } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { ac: string };
  const scopes = JSON.parse(ac) as { Scope: string; Permission: number }[];
  return Object.fromEntries(scopes.map(({ Scope, Permission }) => [Scope, Permission]));
}

function json(status: number, value: unknown): Answer {
  return { status, headers: { "content-type": "application/json" }, body: Buffer.from(JSON.stringify(value)) };
}

function azure(status: number, code: string): Answer {
  return {
    status,
    headers: { "content-type": "application/xml" },
    body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`),
  };
}
