// Which requests go through a proxy.

import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyFor } from "../../src/http/proxy.ts";

const rows: readonly [url: string, noProxy: string, goesThrough: boolean][] = [
  ["https://registry.example.com/v2/", "", true],
  ["https://registry.example.com/", "example.com", false],
  ["https://registry.example.com/", ".example.com", false],
  ["https://registry.example.com/", "*.example.com", false],
  ["https://example.com/", "example.com", false],
  ["https://example.com/", ".example.com", true],
  ["https://notexample.com/", "example.com", true],
  ["https://REGISTRY.example.com/", "Example.COM", false],
  ["https://a.test/", " other.test , a.test ", false],
  ["https://a.test/", ",,", true],
  ["https://a.test/", "*", false],
  ["https://a.test:5000/", "a.test:5000", false],
  ["https://a.test:5001/", "a.test:5000", true],
  ["https://a.test/", "a.test:443", false],
  ["http://a.test/", "a.test:80", false],
  ["https://10.1.2.3/", "10.0.0.0/8", false],
  ["https://11.1.2.3/", "10.0.0.0/8", true],
  ["https://10.1.2.3/", "10.1.2.3", false],
  ["https://10.1.2.3:8443/", "10.1.2.3:8443", false],
  ["https://10.1.2.3/", "2.3", true],
  ["https://[fd00::1]/", "fd00::/8", false],
  ["https://[fd00::1]/", "fd00::1", false],
  ["https://[fd00::1]:5000/", "[fd00::1]:5000", false],
  ["https://[fd00::1]/", "10.0.0.0/8", true],
  ["https://a.test/", "10.0.0.0/99,garbage/x", true],
  ["http://localhost:5000/", "", false],
  ["http://127.0.0.1:5000/", "", false],
  ["http://[::1]:5000/", "", false],
];

for (const [url, noProxy, goesThrough] of rows) {
  test(`${url} with NO_PROXY="${noProxy}" ${goesThrough ? "goes through the proxy" : "goes straight"}`, () => {
    const proxy = proxyFor(new URL(url), { http: "http://proxy.test:3128", https: "http://proxy.test:3128", noProxy });
    assert.equal(proxy?.href, goesThrough ? "http://proxy.test:3128/" : undefined);
  });
}

test("each scheme has its own proxy, and a proxy without a scheme is HTTP", () => {
  const proxies = { http: "plain.test:1", https: "https://user:word@secure.test:2" };
  assert.equal(proxyFor(new URL("http://a.test/"), proxies)?.href, "http://plain.test:1/");
  assert.equal(proxyFor(new URL("https://a.test/"), proxies)?.host, "secure.test:2");
  assert.equal(proxyFor(new URL("https://a.test/"), { http: "plain.test:1" }), undefined);
});

test("a proxy that cannot be used is refused without its password", () => {
  for (const https of ["socks5://user:word@a.test", "ftp://user:word@a.test", "http://user:word@"]) {
    assert.throws(
      () => proxyFor(new URL("https://b.test/"), { https }),
      (error: Error) => /Cannot use the proxy/.test(error.message) && !error.message.includes("word"),
    );
  }
});
