// The client against Debian's docker-registry: pushes, pulls, passwords, certificates, cut connections.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodeRelease } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import { openBlobs } from "../../src/layer/layer.ts";
import { RegistryError } from "../../src/registry/registry.ts";
import { builderLine, openLocalRegistry } from "../support/local-registry.ts";
import { makeBytes, makeImage, openTestClient, readAll } from "../support/registry-image.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const json = (host: string, auth: string) => JSON.stringify({ auths: { [host]: { auth: Buffer.from(auth).toString("base64") } } });

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("an image pushed to Debian's registry comes back as it was, in both families of media types", async (t) => {
  const registry = await openLocalRegistry(t);
  if (registry === undefined) return;
  for (const family of ["oci", "docker"] as const) {
    const { client } = openTestClient(t, {}, 20_000);
    const layers = [makeBytes(10_000, 1), makeBytes(40 * 1024 * 1024, 2), Buffer.alloc(0)];
    const image = makeImage({ layers, family });
    const reference = parseReference(`${registry.host}/some/app:${family}`);
    await client.checkPush([reference]);
    const push = client.openPush([
      reference,
      parseReference(`${registry.host}/other/app:1`),
      parseReference(`${registry.host}/some/app:latest`),
    ]);
    const done = await push.finish(encodeRelease([image]));
    assert.deepEqual(
      done.map(({ digest }) => digest),
      Array(3).fill(image.manifest.descriptor.digest),
    );
    const sent = layers.reduce((sum, bytes) => sum + bytes.length, 0);
    assert.equal(
      client.transferred().uploaded,
      family === "oci" ? sent : 0,
      "each layer goes up once, and not again for the second family",
    );

    const back = openTestClient(t, {}, 20_000).client;
    const resolved = await back.resolve(reference, amd64);
    assert.equal(resolved.digest, image.manifest.descriptor.digest);
    assert.equal(resolved.family, family);
    assert.deepEqual(resolved.config, JSON.parse(Buffer.from(image.config.bytes).toString()));
    const blobs = await openBlobs(await makeFolder(t));
    for (const [i, layer] of resolved.layers.entries()) {
      const fetched = await back.fetch(layer, blobs);
      assert.ok(layers[i]?.equals(await readFile(fetched.file ?? "")));
      assert.ok(layers[i]?.equals(await readAll(layer.open())));
    }
    assert.equal(back.transferred().downloaded, 2 * sent);
  }
  assert.equal(
    registry.requests().filter(({ method, uri }) => method === "POST" && uri.includes("mount=")).length,
    4,
    "the second repository mounts three layers and the first family's config is not mounted",
  );
});

/** Passes everything on to a registry, and cuts the first connections after so many bytes in one direction. */
async function startCutter(t: TestContext, target: string, cuts: { up: number[]; down: number[] }): Promise<string> {
  const server = createServer((client) => {
    const upstream = connect(Number(target.split(":").at(-1)), "127.0.0.1");
    const end = () => [client, upstream].map((socket) => socket.destroy());
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    const relay = (from: Socket, to: Socket, limits: number[]) => {
      let bytes = 0;
      from.on("data", (chunk) => {
        bytes += chunk.length;
        if (bytes > (limits[0] ?? Number.POSITIVE_INFINITY)) {
          limits.shift();
          end();
        } else if (!to.write(chunk)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
    };
    relay(client, upstream, cuts.up);
    relay(upstream, client, cuts.down);
    t.after(end);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("pushes to and pulls from Debian's registry survive cut connections", async (t) => {
  const registry = await openLocalRegistry(t);
  if (registry === undefined) return;
  const cuts = { up: [5_000_000, 3_000_000], down: [1_000_000, 4_000_000, 6_000_000] };
  const host = await startCutter(t, registry.host, cuts);
  const bytes = makeBytes(40 * 1024 * 1024, 6);
  const { client } = openTestClient(t, {}, 20_000);
  await client.openPush([parseReference(`${host}/cut:1`)]).finish(encodeRelease([makeImage({ layers: [bytes] })]));
  const image = await client.resolve(parseReference(`${host}/cut:1`), amd64);
  const [layer] = image.layers;
  assert.ok(layer);
  const { file = "" } = await client.fetch(layer, await openBlobs(await makeFolder(t)));
  assert.ok(bytes.equals(await readFile(file)));
  assert.deepEqual(cuts, { up: [], down: [] });
});

test("Debian's registry with a password file takes the right credentials and no others", async (t) => {
  const registry = await openLocalRegistry(t, { htpasswd: builderLine });
  if (registry === undefined) return;
  const reference = parseReference(`${registry.host}/app:1`);
  const good = openTestClient(t, { dockerConfig: { json: json(registry.host, "builder:secret") } }, 5000);
  await good.client.checkPush([reference]);
  await good.client.openPush([reference]).finish(encodeRelease([makeImage()]));
  assert.equal((await good.client.resolve(reference, amd64)).layers.length, 1);
  assert.ok(good.masked.includes("secret"));
  const rows = [
    {
      dockerConfig: { json: json(registry.host, "builder:wrong-word") },
      hint: /user "builder" from DOCKER_AUTH_CONFIG were sent and not accepted; run "docker login/,
    },
    { dockerConfig: {}, hint: /no credentials for 127\.0\.0\.1:\d+ were found; run "docker login/ },
  ];
  for (const { dockerConfig, hint } of rows) {
    const { client } = openTestClient(t, { dockerConfig }, 5000);
    for (const attempt of [
      () => client.checkPush([reference]),
      () => client.resolve(reference, amd64),
      () => client.openPush([reference]).finish(encodeRelease([makeImage()])),
    ]) {
      await assert.rejects(attempt, (error: RegistryError) => {
        assert.ok(error instanceof RegistryError);
        assert.equal(error.failure, "unauthorized");
        assert.match(error.hint ?? "", hint);
        assert.doesNotMatch(`${error.message}${error.hint}`, /wrong-word/);
        return true;
      });
    }
  }
});

test("Debian's registry with its own certificate is trusted when it is told to be, or not looked at", async (t) => {
  const registry = await openLocalRegistry(t, { tls: true });
  if (registry === undefined) return;
  const { host, certificate } = registry;
  const reference = parseReference(`${host}/app:1`);
  const both = [
    { certificates: { [host]: certificate } },
    { skipTlsVerify: true },
    { skipTlsVerifyRegistries: [host] },
    { roots: { files: [certificate], directories: [] } },
  ];
  for (const options of both) {
    const { client } = openTestClient(t, options, 5000);
    await client.checkPush([reference]);
    await client.openPush([reference]).finish(encodeRelease([makeImage()]));
    assert.equal((await client.resolve(reference, amd64)).layers.length, 1);
  }
  const pullsAlone = openTestClient(t, { skipTlsVerifyPull: true }, 5000).client;
  assert.equal((await pullsAlone.resolve(reference, amd64)).layers.length, 1);
  for (const client of [
    pullsAlone,
    openTestClient(t, {}, 5000).client,
    openTestClient(t, { certificates: { "other:1": certificate } }, 5000).client,
  ]) {
    await assert.rejects(client.checkPush([reference]), (error: RegistryError) => {
      assert.equal(error.failure, "tls");
      assert.match(error.hint ?? "", /--registry-certificate 127\.0\.0\.1:\d+=FILE .*--skip-tls-verify-registry/);
      return true;
    });
  }
});

test("a certificate file that is missing or no PEM is named", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "bad.pem"), "hello");
  for (const file of ["bad.pem", "none.pem"]) {
    const { client } = openTestClient(t, { certificates: { "registry.example": join(folder, file) } });
    await assert.rejects(client.resolve(parseReference("registry.example/app"), amd64), new RegExp(`registry certificate ".*${file}"`));
  }
});
