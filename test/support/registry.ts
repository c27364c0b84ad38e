// A registry in this process that keeps to the distribution specification, except where a test orders a fault.

import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { type Fault, sendAnswer } from "./faults.ts";

export type { Fault } from "./faults.ts";

export interface LoggedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  /** 0 until an answer was begun. */
  status: number;
}

export type TestAuth =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** A token server on the same host; without user and password everybody gets a token to pull. */
  | {
      readonly kind: "token";
      readonly username?: string;
      readonly password?: string;
      readonly identity?: string;
      /** Scopes that are never granted. */
      readonly denies?: RegExp;
      readonly lifeSeconds?: number;
    };

export interface TestRegistryOptions {
  readonly auth?: TestAuth;
  /** Mounts are answered with 202, as if the other repository could not be seen. */
  readonly refusesMounts?: boolean;
  /** An interrupted upload is lost, as with Docker's registry. */
  readonly forgetsUploads?: boolean;
  /** Upload locations are written without scheme and host. */
  readonly relativeLocations?: boolean;
  /** Manifests cannot be deleted. */
  readonly deletesNothing?: boolean;
  /** 100 when left out. */
  readonly tagsPerPage?: number;
  /** A second registry that takes the uploads. */
  readonly uploadHost?: () => string;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface TestRegistry {
  readonly host: string;
  readonly requests: LoggedRequest[];
  readonly repositories: Map<
    string,
    { readonly blobs: Map<string, Buffer>; readonly manifests: Map<string, { type: string; bytes: Buffer }> }
  >;
  /** Orders faults; each serves `times` requests (1) that match, in the order in which they were ordered. */
  order(...faults: Fault[]): void;
  /** Forgets the faults that were ordered. */
  calm(): void;
  /** Makes every token invalid that was given so far. */
  revokeTokens(): void;
  /** Of requests whose method and path fit. */
  count(method: string, path: RegExp): number;
  stop(): Promise<void>;
}

export async function startRegistry(test: Pick<TestContext, "after">, options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const requests: LoggedRequest[] = [];
  const faults: (Fault & { left: number })[] = [];
  const repositories: TestRegistry["repositories"] = new Map();
  const uploads = new Map<string, { repository: string; chunks: Buffer[]; size: number }>();
  const tokens = new Map<string, { scopes: readonly string[]; endsAt: number }>();
  let host = "";

  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    const logged: LoggedRequest = {
      method: request.method ?? "",
      path,
      authorization: request.headers.authorization,
      range: request.headers.range,
      status: 0,
    };
    requests.push(logged);
    const fault = faults.find(
      ({ left, method, path: pattern }) => left > 0 && (method ?? logged.method) === logged.method && (pattern ?? /^/).test(path),
    );
    if (fault !== undefined) fault.left -= 1;
    serve(request, response, logged, fault).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse, logged: LoggedRequest, fault: Fault | undefined): Promise<void> {
    const url = new URL(logged.path, `http://${host}`);
    const body = readBody(request, fault);
    const answer = checkAccess(request, url) ?? (fault?.kind === "refuse" ? { status: 500 } : await route(request, url, body));
    await body.rest();
    if (request.destroyed && !request.complete) return;
    await sendAnswer(response, { headers: {}, ...answer }, fault, logged, { host, isHead: request.method === "HEAD" });
  }

  function repositoryOf(name: string) {
    const known = repositories.get(name);
    if (known !== undefined) return known;
    const fresh = { blobs: new Map<string, Buffer>(), manifests: new Map<string, { type: string; bytes: Buffer }>() };
    repositories.set(name, fresh);
    return fresh;
  }

  function checkAccess(request: IncomingMessage, url: URL): Answer | undefined {
    const { auth } = options;
    if (auth === undefined || !url.pathname.startsWith("/v2/")) return undefined;
    const given = request.headers.authorization;
    if (auth.kind === "basic") {
      if (given === basic(auth.username, auth.password)) return undefined;
      return refusal(401, "UNAUTHORIZED", "authentication required", { "www-authenticate": 'Basic realm="test"' });
    }
    const repository = /^\/v2\/(.+?)\/(?:blobs|manifests)\//.exec(url.pathname)?.[1];
    const needed = request.method === "GET" || request.method === "HEAD" ? ["pull"] : ["pull", "push"];
    const token = tokens.get(given?.replace(/^Bearer /, "") ?? "");
    const grants = token !== undefined && token.endsAt > Date.now() ? token.scopes : undefined;
    const grant = grants?.find((scope) => scope.startsWith(`repository:${repository}:`));
    if (
      grants !== undefined &&
      (repository === undefined || needed.every((action) => grant?.split(":").at(-1)?.split(",").includes(action)))
    )
      return undefined;
    const scope = repository === undefined ? "" : `,scope="repository:${repository}:${needed.join(",")}"`;
    return refusal(401, "UNAUTHORIZED", "authentication required", {
      "www-authenticate": `Bearer realm="http://${host}/token",service="test registry"${scope}`,
    });
  }

  async function giveToken(request: IncomingMessage, url: URL, body: Body): Promise<Answer> {
    const { auth } = options;
    if (auth?.kind !== "token") return { status: 404 };
    const form = request.method === "POST" ? new URLSearchParams((await body.all()).toString()) : url.searchParams;
    const asked = form.getAll("scope").flatMap((scope) => scope.split(" "));
    const isKnown =
      request.method === "POST"
        ? form.get("refresh_token") === auth.identity && form.get("grant_type") === "refresh_token"
        : auth.username !== undefined && request.headers.authorization === basic(auth.username, auth.password ?? "");
    const isAnonymous = request.method === "GET" && request.headers.authorization === undefined;
    if (!isKnown && !(isAnonymous && auth.username === undefined)) return refusal(401, "UNAUTHORIZED", "incorrect username or password");
    if (asked.some((scope) => auth.denies?.test(scope))) return refusal(403, "DENIED", "requested access is denied");
    const scopes = isKnown ? asked : asked.map((scope) => scope.replace(/:pull,push$/, ":pull"));
    const token = randomUUID();
    const seconds = auth.lifeSeconds ?? 300;
    tokens.set(token, { scopes, endsAt: Date.now() + seconds * 1000 });
    return json(200, { token, expires_in: seconds });
  }

  async function route(request: IncomingMessage, url: URL, body: Body): Promise<Answer> {
    if (url.pathname === "/token") return giveToken(request, url, body);
    if (url.pathname === "/v2/") return json(200, {});
    const [, name = "", kind, rest = ""] = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags)\/(.*)$/.exec(url.pathname) ?? [];
    if (kind === "blobs/uploads") return serveUpload(request, url, name, rest, body);
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (kind === "blobs" && isRead) return serveBlob(request, repositories.get(name)?.blobs.get(rest), rest);
    if (kind === "manifests" && isRead) {
      const found = repositories.get(name)?.manifests.get(rest);
      if (found === undefined) return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");
      return { status: 200, headers: { "content-type": found.type, "docker-content-digest": sha256(found.bytes) }, body: found.bytes };
    }
    if (kind === "manifests" && request.method === "DELETE" && rest.startsWith("sha256:") && !options.deletesNothing) {
      const manifests = repositories.get(name)?.manifests ?? new Map<string, { bytes: Buffer }>();
      const doomed = [...manifests].filter(([, { bytes }]) => sha256(bytes) === rest);
      for (const [which] of doomed) manifests.delete(which);
      return doomed.length === 0 ? refusal(404, "MANIFEST_UNKNOWN", "manifest unknown") : { status: 202 };
    }
    if (kind === "tags" && isRead) return listTags(name, url);
    if (kind === "manifests" && request.method === "PUT") {
      const bytes = await body.all();
      const parsed = JSON.parse(bytes.toString()) as { config?: { digest: string }; layers?: { digest: string; urls?: unknown }[] };
      const repository = repositoryOf(name);
      const missing = [parsed.config, ...(parsed.layers ?? [])].find(
        (item) => item !== undefined && !("urls" in item) && !repository.blobs.has(item.digest),
      );
      if (missing !== undefined) return refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
      if (rest.startsWith("sha256:") && rest !== sha256(bytes)) return refusal(400, "DIGEST_INVALID", "digest does not match");
      const stored = { type: request.headers["content-type"] ?? "", bytes };
      repository.manifests.set(rest, stored).set(sha256(bytes), stored);
      return { status: 201, headers: { "docker-content-digest": sha256(bytes), location: `/v2/${name}/manifests/${sha256(bytes)}` } };
    }
    return refusal(405, "UNSUPPORTED", "unsupported");
  }

  function listTags(name: string, url: URL): Answer {
    const repository = repositories.get(name);
    if (repository === undefined) return refusal(404, "NAME_UNKNOWN", "repository name not known to registry");
    const last = url.searchParams.get("last") ?? "";
    const all = [...repository.manifests.keys()].filter((which) => !which.startsWith("sha256:") && which > last).sort();
    const tags = all.slice(0, Math.min(Number(url.searchParams.get("n") ?? 100), options.tagsPerPage ?? 100));
    const answer = json(200, { name, tags });
    if (tags.length === all.length) return answer;
    return { ...answer, headers: { ...answer.headers, link: `</v2/${name}/tags/list?n=100&last=${tags.at(-1)}>; rel="next"` } };
  }

  function serveBlob(request: IncomingMessage, bytes: Buffer | undefined, digest: string): Answer {
    if (bytes === undefined) return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry");
    const headers = { "docker-content-digest": digest, "content-type": "application/octet-stream", "accept-ranges": "bytes" };
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    if (from === undefined) return { status: 200, headers, body: bytes };
    const start = Number(from);
    const end = Math.min(bytes.length, to === "" ? bytes.length : Number(to) + 1);
    if (start >= bytes.length)
      return { ...refusal(416, "RANGE_INVALID", "range"), headers: { "content-range": `bytes */${bytes.length}` } };
    return {
      status: 206,
      headers: { ...headers, "content-range": `bytes ${start}-${end - 1}/${bytes.length}` },
      body: bytes.subarray(start, end),
    };
  }

  async function serveUpload(request: IncomingMessage, url: URL, name: string, id: string, body: Body): Promise<Answer> {
    const place = (session: string) => {
      const path = `/v2/${name}/blobs/uploads/${session}?state=a%2Bb`;
      if (options.relativeLocations) return path;
      return `http://${options.uploadHost?.() ?? host}${path}`;
    };
    const describe = (session: string, size: number) => ({
      location: place(session),
      range: `0-${Math.max(0, size - 1)}`,
      "docker-upload-uuid": session,
    });
    if (request.method === "POST" && id === "") {
      const mount = url.searchParams.get("mount");
      const source = repositories.get(url.searchParams.get("from") ?? "")?.blobs.get(mount ?? "");
      if (mount !== null && source !== undefined && !options.refusesMounts) {
        repositoryOf(name).blobs.set(mount, source);
        return { status: 201, headers: { location: `/v2/${name}/blobs/${mount}`, "docker-content-digest": mount } };
      }
      const session = randomUUID();
      uploads.set(session, { repository: name, chunks: [], size: 0 });
      return { status: 202, headers: describe(session, 0) };
    }
    // A host that only takes uploads knows its sessions from their first use.
    if (
      !uploads.has(id) &&
      options.uploadHost === undefined &&
      requests.every(({ path }) => !path.startsWith("/v2/") || /uploads\/./.test(path))
    )
      uploads.set(id, { repository: name, chunks: [], size: 0 });
    const upload = uploads.get(id);
    if (upload === undefined || url.searchParams.get("state") !== "a+b")
      return refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    if (request.method === "DELETE") {
      uploads.delete(id);
      return { status: 204 };
    }
    if (request.method === "GET") return { status: 204, headers: describe(id, upload.size) };
    const start = /^(\d+)-(\d+)$/.exec(request.headers["content-range"] ?? "")?.[1];
    if (start !== undefined && Number(start) !== upload.size)
      return { ...refusal(416, "RANGE_INVALID", "range"), headers: describe(id, upload.size) };
    const isWhole = await body.each((chunk) => {
      upload.chunks.push(chunk);
      upload.size += chunk.length;
    });
    if (!isWhole) {
      if (options.forgetsUploads) uploads.delete(id);
      return { status: 499 };
    }
    if (request.method === "PATCH") return { status: 202, headers: describe(id, upload.size) };
    const bytes = Buffer.concat(upload.chunks);
    uploads.delete(id);
    const digest = url.searchParams.get("digest") ?? "";
    if (sha256(bytes) !== digest) return refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    repositoryOf(name).blobs.set(digest, bytes);
    return { status: 201, headers: { location: `/v2/${name}/blobs/${digest}`, "docker-content-digest": digest } };
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  test.after(stop);
  return {
    host,
    requests,
    repositories,
    order: (...more) => faults.push(...more.map((fault) => ({ ...fault, left: fault.times ?? 1 }))),
    calm: () => faults.splice(0),
    revokeTokens: () => tokens.clear(),
    count: (method, path) => requests.filter((request) => request.method === method && path.test(request.path)).length,
    stop,
  };
}

interface Body {
  all(): Promise<Buffer>;
  /** False where the client went away, or a fault cut it off, in the middle. */
  each(see: (chunk: Buffer) => void): Promise<boolean>;
  /** Reads what nobody wanted. */
  rest(): Promise<void>;
}

function readBody(request: IncomingMessage, fault: Fault | undefined): Body {
  let left = fault?.kind === "cut-upload" ? fault.after : Number.POSITIVE_INFINITY;
  const each: Body["each"] = async (see) => {
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        const taken = chunk.subarray(0, left);
        left -= taken.length;
        if (taken.length > 0) see(taken);
        if (left > 0) continue;
        request.socket.destroy();
        return false;
      }
      return request.complete;
    } catch {
      return false;
    }
  };
  return {
    each,
    async all() {
      const chunks: Buffer[] = [];
      await each((chunk) => chunks.push(chunk));
      return Buffer.concat(chunks);
    },
    async rest() {
      request.resume();
    },
  };
}

export function sha256(bytes: Uint8Array): `sha256:${string}` {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function json(status: number, value: unknown): Answer {
  return { status, headers: { "content-type": "application/json" }, body: Buffer.from(JSON.stringify(value)) };
}

function refusal(status: number, code: string, message: string, headers: Record<string, string> = {}): Answer {
  return { ...json(status, { errors: [{ code, message }] }), headers: { "content-type": "application/json", ...headers } };
}
