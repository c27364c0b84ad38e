// Which hosts are asked for an image, and how they may be spoken to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "../../src/image/reference.ts";
import { allowsHttp, isLocal, placesOf, tlsOf } from "../../src/registry/endpoint.ts";
import { defaultRegistryOptions, type RegistryOptions } from "../../src/registry/registry.ts";

const withOptions = (options: Partial<RegistryOptions>) => ({ ...defaultRegistryOptions, ...options });

const local = [
  "localhost",
  "localhost:5000",
  "127.0.0.1",
  "127.8.8.8:80",
  "[::1]",
  "[::1]:5000",
  "nas.local",
  "a.b.local:1",
  "x.localhost",
  "10.0.0.1",
  "192.168.1.1:5000",
  "172.16.0.1",
  "172.31.255.1",
];
const remote = [
  "index.docker.io",
  "ghcr.io",
  "localhost.example.com",
  "local",
  "8.8.8.8",
  "172.32.0.1",
  "172.15.0.1",
  "192.169.0.1",
  "10.example.com",
  "127.example.com",
  "11.0.0.1",
  "[fd00::1]",
];

for (const registry of local) test(`${registry} is local`, () => assert.equal(isLocal(registry), true));
for (const registry of remote) test(`${registry} is not local`, () => assert.equal(isLocal(registry), false));

const http: readonly [options: Partial<RegistryOptions>, pull: boolean, push: boolean][] = [
  [{}, false, false],
  [{ insecure: true }, false, true],
  [{ insecurePull: true }, true, false],
  [{ insecureRegistries: ["A.test"] }, true, true],
  [{ insecureRegistries: ["http://a.test"] }, true, true],
  [{ insecureRegistries: ["a.test:5000"] }, false, false],
];

for (const [options, pull, push] of http) {
  test(`with ${JSON.stringify(options)}, plain HTTP is ${pull ? "" : "not "}allowed to pull and ${push ? "" : "not "}to push`, () => {
    assert.equal(allowsHttp("a.test", "pull", withOptions(options)), pull);
    assert.equal(allowsHttp("a.test", "push", withOptions(options)), push);
  });
}

const places: readonly [options: Partial<RegistryOptions>, reference: string, places: readonly string[]][] = [
  [{}, "alpine", ["index.docker.io/library/alpine"]],
  [
    { mirrors: ["m1.test", "m2.test/proxy/"] },
    "alpine",
    ["m1.test/library/alpine", "m2.test/proxy/library/alpine", "index.docker.io/library/alpine"],
  ],
  [{ mirrors: ["https://m1.test"] }, "a/b", ["m1.test/a/b", "index.docker.io/a/b"]],
  [{ mirrors: ["m1.test"] }, "ghcr.io/a/b", ["ghcr.io/a/b"]],
  [{ mirrors: ["m1.test"], skipDefaultRegistryFallback: true }, "alpine", ["m1.test/library/alpine"]],
  [{ skipDefaultRegistryFallback: true }, "alpine", ["index.docker.io/library/alpine"]],
  [{ map: { "docker.io": ["m.test/hub"] } }, "alpine", ["m.test/hub/library/alpine", "index.docker.io/library/alpine"]],
  [
    { map: { "index.docker.io": ["m.test"] }, mirrors: ["n.test"] },
    "alpine",
    ["m.test/library/alpine", "n.test/library/alpine", "index.docker.io/library/alpine"],
  ],
  [{ map: { "GHCR.io": ["docker.io/copies"] } }, "ghcr.io/a/b", ["index.docker.io/copies/a/b", "ghcr.io/a/b"]],
];

for (const [options, reference, expected] of places) {
  test(`with ${JSON.stringify(options)}, ${reference} is looked for at ${expected.join(", ")}`, () => {
    const found = placesOf(parseReference(reference), withOptions(options)).map(({ registry, repository }) => `${registry}/${repository}`);
    assert.deepEqual(found, expected);
  });
}

const tls: readonly [options: Partial<RegistryOptions>, skips: readonly [pull: boolean, push: boolean]][] = [
  [{}, [false, false]],
  [{ skipTlsVerify: true }, [true, true]],
  [{ skipTlsVerifyPull: true }, [true, false]],
  [{ skipTlsVerifyRegistries: ["a.test"] }, [true, true]],
  [{ skipTlsVerifyRegistries: ["b.test"] }, [false, false]],
];

for (const [options, [pull, push]] of tls) {
  test(`with ${JSON.stringify(options)}, certificates are ${pull ? "not " : ""}looked at for pulls and ${push ? "not " : ""}for pushes`, () => {
    assert.equal(tlsOf("a.test", "pull", withOptions(options)).skipVerify, pull);
    assert.equal(tlsOf("a.test", "push", withOptions(options)).skipVerify, push);
  });
}

test("certificates belong to their registry, by every spelling of its name", () => {
  const client = { certificate: "c.pem", key: "k.pem" };
  const options = withOptions({ certificates: { "docker.io": "ca.pem" }, clientCertificates: { "A.test:5000": client } });
  assert.deepEqual(tlsOf("registry-1.docker.io", "pull", options).authorities, ["ca.pem"]);
  assert.deepEqual(tlsOf("a.test:5000", "push", options), { skipVerify: false, client });
  assert.deepEqual(tlsOf("a.test", "push", options), { skipVerify: false });
});
