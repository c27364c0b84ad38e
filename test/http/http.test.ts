// The HTTP client against servers that redirect, stall, cut, lie and speak TLS.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { HttpError, type HttpOptions, openHttp } from "../../src/http/http.ts";
import { makeCertificate } from "../support/certificate.ts";

async function listen(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function open(t: TestContext, options: Partial<HttpOptions> = {}) {
  const http = openHttp({
    userAgent: "test/1",
    proxies: {},
    roots: { files: [], directories: [] },
    backOff: { tries: 3, firstMs: 1, mostMs: 2 },
    timeouts: { connectMs: 2000, headersMs: 400, storeMs: 400, stallMs: 400 },
    ...options,
  });
  t.after(() => http.close());
  return http;
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  return `http://${await listen(t, createServer(listener))}`;
}

test("a request goes out as it was meant, and its answer comes whole", async (t) => {
  let seen: IncomingMessage | undefined;
  const url = await serve(t, (request, response) => {
    seen = request;
    response.writeHead(207, { "X-Thing": "a", "set-cookie": ["b", "c"] }).end("hello");
  });
  const response = await open(t).request("GET", `${url}/path?x=1`, { headers: { accept: "text/x" } });
  assert.equal(response.status, 207);
  assert.equal(Buffer.from(await response.bytes(10)).toString(), "hello");
  assert.equal(response.header("x-thing"), "a");
  assert.deepEqual(response.headers("set-cookie"), ["b", "c"]);
  assert.equal(response.header("none"), undefined);
  assert.equal(seen?.url, "/path?x=1");
  assert.deepEqual([seen?.headers["user-agent"], seen?.headers.accept, seen?.headers["accept-encoding"]], ["test/1", "text/x", "identity"]);
});

test("what fails for now is repeated, with the body from its start", async (t) => {
  const bodies: string[] = [];
  const url = await serve(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(Buffer.concat(chunks).toString());
    response.writeHead(bodies.length < 3 ? 503 : 200).end();
  });
  const body = {
    size: 4,
    async *open() {
      yield Buffer.from("ab");
      yield Buffer.from("cd");
    },
  };
  assert.equal((await open(t).request("PUT", url, { body })).status, 200);
  assert.deepEqual(bodies, ["abcd", "abcd", "abcd"]);
});

test("PATCH is not repeated by itself", async (t) => {
  let count = 0;
  const url = await serve(t, (_, response) => {
    count += 1;
    response.writeHead(503).end();
  });
  assert.equal((await open(t).request("PATCH", url, { body: Buffer.from("x") })).status, 503);
  assert.equal(count, 1);
});

test("redirects carry credentials to the same host alone, and methods as browsers do", async (t) => {
  const seen: string[] = [];
  const listener =
    (name: string): RequestListener =>
    (request, response) => {
      seen.push(
        `${name} ${request.method} ${request.url} ${request.headers.authorization ?? "-"} ${request.headers["content-length"] ?? "-"}`,
      );
      const to = new URL(request.url ?? "", "http://x").searchParams.get("to");
      const status = Number(new URL(request.url ?? "", "http://x").searchParams.get("status") ?? 302);
      if (to === null) response.end();
      else response.writeHead(status, { location: to }).end();
    };
  const other = await serve(t, listener("other"));
  const first = await serve(t, listener("first"));
  const http = open(t);
  const rows = [
    ["GET", `/?to=/b`, "first GET /b secret -"],
    ["GET", `/?to=${other}/b`, "other GET /b - -"],
    ["PUT", `/?status=307&to=${other}/b`, "other PUT /b - 3"],
    ["POST", `/?status=308&to=/b`, "first POST /b secret 3"],
    ["POST", `/?status=303&to=/b`, "first GET /b secret -"],
    ["POST", `/?status=302&to=/b`, "first GET /b secret -"],
  ] as const;
  for (const [method, path, last] of rows) {
    const body = method === "GET" ? {} : { body: Buffer.from("abc") };
    const response = await http.request(method, `${first}${path}`, { headers: { authorization: "secret" }, ...body });
    await response.discard();
    assert.equal(seen.at(-1), last);
  }
});

const failures: Record<string, { listener?: RequestListener; failure: string }> = {
  "that is cut before the answer": { listener: (request) => request.socket.destroy(), failure: "cut" },
  "that is never answered": { listener: () => {}, failure: "timeout" },
  "that redirects for ever": { listener: (_, response) => response.writeHead(302, { location: "/" }).end(), failure: "redirect" },
  "to a port where nobody listens": { failure: "refused" },
};

for (const [name, { listener, failure }] of Object.entries(failures)) {
  test(`a request ${name} fails as "${failure}", without its secrets`, async (t) => {
    const url = listener === undefined ? "http://127.0.0.1:1" : await serve(t, listener);
    await assert.rejects(open(t).request("GET", `${url}/?signature=hush`, { tries: 1 }), (error: HttpError) => {
      assert.ok(error instanceof HttpError);
      assert.equal(error.failure, failure);
      assert.doesNotMatch(error.message, /hush/);
      return true;
    });
  });
}

test("a body that is cut, stalls, or is too long is an error", async (t) => {
  const url = await serve(t, (request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("x".repeat(50));
    if (request.url === "/cut") setTimeout(() => response.destroy(), 20);
    if (request.url === "/long") response.end("x".repeat(50));
  });
  const http = open(t);
  for (const [path, failure] of [
    ["/cut", "cut"],
    ["/stall", "timeout"],
    ["/long", "too-large"],
  ] as const) {
    const response = await http.request("GET", `${url}${path}`);
    await assert.rejects(response.bytes(path === "/long" ? 99 : 1000), (error: HttpError) => error.failure === failure);
  }
});

test("an upload that the other side stops reading fails in time", async (t) => {
  const url = await serve(t, (request) => void request.pause());
  const body = {
    size: 1 << 30,
    async *open() {
      for (let i = 0; i < 1024; i++) yield Buffer.alloc(1 << 20);
    },
  };
  await assert.rejects(open(t).request("PUT", url, { body, tries: 1 }), (error: HttpError) => error.failure === "timeout");
});

test("the error of a body's own source is passed on as it is", async (t) => {
  const url = await serve(t, () => {});
  const body = {
    size: 10,
    async *open(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("a");
      throw new RangeError("the disk is gone");
    },
  };
  await assert.rejects(open(t).request("PUT", url, { body }), RangeError);
});

test("an abort ends a request before and in the middle of its answer", async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === "/body") response.write("x");
  });
  const http = open(t, { timeouts: { headersMs: 60_000, stallMs: 60_000 } });
  for (const path of ["/none", "/body"]) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("enough")), 30);
    await assert.rejects(async () => (await http.request("GET", `${url}${path}`, { signal: stop.signal })).bytes(10), /enough/);
  }
});

test("after close nothing is asked any more", async (t) => {
  const url = await serve(t, (_, response) => response.end());
  const http = open(t);
  await (await http.request("GET", url)).discard();
  await http.close();
  await assert.rejects(http.request("GET", url), /the HTTP client is closed/);
});

/** A proxy that knows `registry.test` and asks for a password where it is given one. */
async function startProxy(t: TestContext, target: string, password?: string) {
  const seen: string[] = [];
  const wanted = password === undefined ? undefined : `Basic ${Buffer.from(password).toString("base64")}`;
  const port = Number(target.split(":").at(-1));
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (wanted !== undefined && request.headers["proxy-authorization"] !== wanted) return void response.writeHead(407).end();
    response.end("forwarded");
  });
  proxy.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    if (wanted !== undefined && request.headers["proxy-authorization"] !== wanted) return void socket.end("HTTP/1.1 407 No\r\n\r\n");
    const upstream = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(upstream).pipe(socket);
    });
    for (const end of [socket, upstream]) end.on("error", () => [socket, upstream].map((other) => other.destroy()));
    t.after(() => [socket, upstream].map((other) => other.destroy()));
  });
  return { host: await listen(t, proxy), seen };
}

test("HTTPS goes through the proxy in a tunnel, HTTP is forwarded, NO_PROXY goes straight", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const certificate = await makeCertificate(folder);
  const tls = { cert: await readFile(certificate), key: await readFile(join(folder, "key.pem")) };
  const target = await listen(t, createTlsServer(tls, (_, response) => response.end("through")) as unknown as Server);
  const proxy = await startProxy(t, target, "user:pass");
  const address = `http://user:pass@${proxy.host}`;
  const http = open(t, {
    proxies: { http: address, https: address, noProxy: "straight.test" },
    tlsFor: () => ({ authorities: [certificate] }),
  });
  const read = async (url: string) => Buffer.from(await (await http.request("GET", url)).bytes(100)).toString();
  assert.equal(await read("https://registry.test/v2/"), "through");
  assert.equal(await read("http://registry.test/v2/"), "forwarded");
  await assert.rejects(http.request("GET", "http://straight.test:9/", { tries: 1 }), HttpError);
  assert.deepEqual(proxy.seen, ["CONNECT registry.test:443", "GET http://registry.test/v2/"]);
  const stranger = open(t, { proxies: { https: `http://${proxy.host}` }, tlsFor: () => ({ authorities: [certificate] }) });
  await assert.rejects(stranger.request("GET", "https://registry.test/", { tries: 1 }), (error: HttpError) => error.failure === "proxy");
});

test("certificates of one host are not trusted from another; a client certificate is shown", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const certificate = await makeCertificate(folder);
  const key = join(folder, "key.pem");
  const files = { cert: await readFile(certificate), key: await readFile(key), ca: await readFile(certificate) };
  const listener: RequestListener = (_, response) => response.end("ok");
  const hosts = await Promise.all(
    [1, 2].map((which) =>
      listen(t, createTlsServer({ ...files, requestCert: which === 1, rejectUnauthorized: which === 1 }, listener) as unknown as Server),
    ),
  );
  const [asks = "", plain = ""] = hosts;
  const http = open(t, { tlsFor: (host) => (host === asks ? { authorities: [certificate], client: { certificate, key } } : {}) });
  assert.equal((await http.request("GET", `https://${asks}/`)).status, 200);
  await assert.rejects(http.request("GET", `https://${plain}/`), (error: HttpError) => error.failure === "tls");
  const careless = open(t, { tlsFor: () => ({ skipVerify: true }) });
  assert.equal((await careless.request("GET", `https://${plain}/`)).status, 200);
  const rooted = open(t, { roots: { files: [], directories: [folder] } });
  assert.equal((await rooted.request("GET", `https://${plain}/`)).status, 200);
});
