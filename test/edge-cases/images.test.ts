// Bases of every sort, layers that are empty, and images from scratch: history, configuration and layers must fit each other.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { BuildFailure } from "../../src/build/build.ts";
import { digestOf, mediaTypes } from "../../src/image/encode.ts";
import { parseReference } from "../../src/image/reference.ts";
import { tarOf } from "../support/pushed.ts";
import { itemsOfLines } from "../support/trees.ts";
import { type Built, openWorkbench, testRows } from "./workbench.ts";

const bench = openWorkbench(({ image }) => image("image", ["d 750 3:4 d\nf 644 0:0 d/f F"]));

/** Fails where history, diffIds and layers do not line up. */
function assertAligned({ image, manifest }: Built): void {
  const lines = (image.history ?? []).filter(({ empty_layer }) => empty_layer !== true).length;
  assert.deepEqual([lines, image.rootfs.diff_ids.length], [manifest.layers.length, manifest.layers.length]);
}

describe("7.32 an empty layer has its line in the history", () => {
  const rows: readonly (readonly [what: string, line: string, base: string])[] = [
    ["7.32 WORKDIR on a directory that is there", "WORKDIR /d", "image"],
    ["7.32 COPY of what the image has already", "COPY --from=image /d/f /d/f", "image"],
    ["7.32 COPY of nothing", "COPY nope* /", "image"],
    ["7.32 a command that changes nothing", "RUN true", "shell"],
  ];
  for (const [what, line, base] of rows)
    test(what, async (t) => {
      if (base === "shell" && !(await bench.shell(t))) return;
      const built = await bench.build({ dockerfile: `FROM ${base}\n${line}\nENV A=1` });
      assert.deepEqual(await built.layer(-1), []);
      assertAligned(built);
      assert.deepEqual(
        built.image.history?.slice(-2).map(({ empty_layer }) => empty_layer ?? false),
        [false, true],
      );
    });
});

type Json = Readonly<Record<string, unknown>>;

interface RawBase {
  readonly what: string;
  readonly config?: Json;
  readonly image?: Json;
  readonly history?: readonly Json[];
  readonly manifest?: keyof typeof mediaTypes;
  readonly layer?: { readonly type: string; readonly compress: (tar: Buffer) => Buffer };
  check?(built: Built): void | Promise<void>;
}

const layers = ["f 644 0:0 one 1", "f 644 0:0 two 2"];

/** Puts an image of two layers, written as other builders might have. */
async function putRaw(name: string, { config = {}, image = {}, history, manifest = "docker", layer }: RawBase): Promise<readonly string[]> {
  const { type, compress } = layer ?? { type: mediaTypes[manifest].layer.gzip, compress: (tar: Buffer) => gzipSync(tar) };
  const tars = await Promise.all(layers.map((lines) => tarOf(itemsOfLines(lines))));
  const blobs = tars.map(compress);
  const platform = { architecture: process.arch === "arm64" ? "arm64" : "amd64", os: "linux" };
  const rootfs = { type: "layers", diff_ids: tars.map(digestOf) };
  const text = Buffer.from(JSON.stringify({ ...platform, config, rootfs, ...(history === undefined ? {} : { history }), ...image }));
  const described = (bytes: Buffer, mediaType: string) => ({ mediaType, size: bytes.length, digest: digestOf(bytes) });
  const bytes = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: mediaTypes[manifest].manifest },
      ...{ config: described(text, mediaTypes[manifest].config), layers: blobs.map((blob) => described(blob, type)) },
    }),
  );
  bench.registry().repositories.set(`library/${name}`, {
    blobs: new Map([...blobs, text].map((blob) => [digestOf(blob), blob])),
    manifests: new Map(["latest", digestOf(bytes)].map((name) => [name, { type: mediaTypes[manifest].manifest, bytes }])),
  });
  return blobs.map(digestOf);
}

const created = "2020-01-01T00:00:00Z";
const bases: readonly RawBase[] = [
  {
    what: "7.33 without history",
    check: ({ history }) => assert.deepEqual(history, ["", "", "COPY Dockerfile /three", "ENV A=1"]),
  },
  {
    what: "7.33 with fewer lines of history than layers",
    history: [{ created, created_by: "one" }],
    check: ({ history }) => assert.deepEqual(history, ["", "one", "COPY Dockerfile /three", "ENV A=1"]),
  },
  {
    what: "7.33 whose history forgets empty_layer",
    history: [{ created_by: "CMD x" }, { created_by: "one" }, { created_by: "two" }],
    check: ({ history }) => assert.equal(history.length, 5),
  },
  {
    what: "7.33 with Docker's media types: the image has them too",
    check: ({ manifest }) => {
      assert.equal(manifest.mediaType, mediaTypes.docker.manifest);
      assert.equal(manifest.layers.at(-1).mediaType, mediaTypes.docker.layer.gzip);
    },
  },
  {
    what: "7.33 with OCI's",
    manifest: "oci",
    check: ({ manifest }) => {
      assert.equal(manifest.mediaType, mediaTypes.oci.manifest);
      assert.equal(manifest.layers.at(-1).mediaType, mediaTypes.oci.layer.gzip);
    },
  },
  {
    what: "7.33 with zstd layers, which stay as they are",
    manifest: "oci",
    layer: { type: mediaTypes.oci.layer.zstd, compress: (tar) => zstdCompressSync(tar) },
    check: ({ manifest }) => assert.equal(manifest.layers[0].mediaType, mediaTypes.oci.layer.zstd),
  },
  {
    what: "7.33 with layers that are not compressed",
    manifest: "oci",
    layer: { type: mediaTypes.oci.layer.none, compress: (tar) => tar },
    check: ({ manifest }) => assert.equal(manifest.layers[0].mediaType, mediaTypes.oci.layer.none),
  },
  {
    what: "7.33 made by a container of Docker's: nothing of the container is taken over, nor what is null",
    config: {
      Hostname: "abc",
      AttachStdin: false,
      Image: "sha256:1",
      Env: ["A=0"],
      Cmd: ["c"],
      Entrypoint: null,
      Labels: {},
      OnBuild: null,
    },
    image: { author: "me", container: "c0ffee", container_config: { Cmd: ["x"] }, docker_version: "20", id: "x", parent: "y", created },
    check: ({ image }) => {
      assert.deepEqual(Object.keys(image).sort(), ["architecture", "author", "config", "created", "history", "os", "rootfs"]);
      const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
      assert.deepEqual(image.config, { Cmd: ["c"], Env: ["A=1", path] });
      assert.notEqual(image.created, created);
    },
  },
];

for (const [i, base] of bases.entries())
  test(`${base.what}: a base that is built on`, async () => {
    const inherited = await putRaw(`raw-${i}`, base);
    const built = await bench.build({ dockerfile: `FROM raw-${i}\nCOPY Dockerfile /three\nENV A=1` });
    assertAligned(built);
    assert.deepEqual(
      built.manifest.layers.slice(0, -1).map(({ digest }: { digest: string }) => digest),
      inherited,
    );
    await base.check?.(built);
    const copied = await bench.build({ dockerfile: `FROM scratch\nCOPY --from=raw-${i} / /` });
    assert.deepEqual(await copied.layer(-1), ["f 644 0:0 one 1", "f 644 0:0 two 2"]);
  });

test("7.33 a foreign layer is named in the new image as it was, and not pushed", async () => {
  const type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const inherited = await putRaw("foreign", { what: "", layer: { type, compress: (tar) => gzipSync(tar) } });
  const built = await bench.build({ dockerfile: "FROM foreign\nENV A=1" }).catch((error: unknown) => error);
  const registry = bench.registry();
  // The registry of the tests asks for every blob that has no address elsewhere, so that it may refuse the manifest itself.
  const put = registry.requests.filter(
    ({ method, path }) => method === "PUT" && inherited.some((digest) => path.includes(encodeURIComponent(digest))),
  );
  assert.deepEqual(put, []);
  assert.ok(built instanceof Error || (built as Built).manifest.layers[0].mediaType === type);
});

testRows(bench, [
  {
    what: "7.63 from scratch, owners by number need no accounts",
    dockerfile: "FROM scratch\nUSER 5:6\nCOPY --chown=7:8 Dockerfile /a\nWORKDIR /w",
    gives: ["d 755 5:6 w"],
    config: { User: "5:6", WorkingDir: "/w" },
  },
  {
    what: "7.63 names fail while there is no layer, of a stage that is as empty too",
    dockerfile: "FROM scratch AS empty\nENV A=1\nFROM empty\nCOPY --chown=5:www Dockerfile /",
    fails: /^BuildFailure: invalid group index: -1/,
  },
  {
    what: "7.63 and are 0 above the first one, with a warning of a check; root is a number",
    dockerfile: "FROM scratch\nCOPY --chown=root:root Dockerfile /a\nCOPY --chown=www /nope* Dockerfile /",
    gives: ["f 644 0:0 Dockerfile FROM scratch\nCOPY --chown=root:root Dockerfile /a\nCOPY --chown=www /nope* Dockerfile /"],
    warns: /^UnknownOwner: .*"www"/,
  },
  {
    what: "7.63 as a USER for a WORKDIR they are 0 too, with a warning",
    dockerfile: "FROM scratch\nUSER www\nWORKDIR /w",
    gives: ["d 755 0:0 w"],
    warns: /^UnknownOwner: USER: "www"/,
  },
]);

test("7.63 as a USER for a RUN they fail", async (t) => {
  if (!(await bench.shell(t))) return;
  const built = bench.build({ dockerfile: "FROM scratch\nUSER www\nRUN true" });
  await assert.rejects(built, /there is no user "www" in the image's \/etc\/passwd/);
});

test("7.63 a command in shell form says that there is no shell", async (t) => {
  if (!(await bench.shell(t))) return;
  await assert.rejects(bench.build({ dockerfile: "FROM scratch\nRUN true" }), (error) => {
    assert.ok(error instanceof BuildFailure);
    assert.equal(error.message, 'process "/bin/sh -c true" did not complete successfully: exit code: 127');
    assert.match(error.output.join(" "), /"\/bin\/sh": no such file in the image; RUN in shell form needs a shell/);
    return true;
  });
});

test("7.63 from scratch with nothing but configuration is an image without layers", async () => {
  const built = await bench.build({ dockerfile: 'FROM scratch\nENTRYPOINT ["/x"]\nLABEL a=b\nEXPOSE 80' });
  assert.deepEqual([built.manifest.layers, built.image.rootfs.diff_ids], [[], []]);
  assert.deepEqual(
    built.image.history?.map(({ empty_layer }) => empty_layer),
    [true, true, true],
  );
  const again = await bench.build({ dockerfile: `FROM ${built.name}\nCOPY Dockerfile /a` });
  assert.equal(again.manifest.layers.length, 1);
  assertAligned(again);
});

describe("7.59 a base with a digest", () => {
  test("7.59 is what has the digest, whatever its tag says", async () => {
    const { registry } = bench;
    await bench.image("pinned", ["f 644 0:0 old 1"]);
    const store = registry().repositories.get("library/pinned");
    const digest = digestOf(store?.manifests.get("latest")?.bytes ?? Buffer.alloc(0));
    await bench.image("pinned", ["f 644 0:0 new 2"]);
    const built = await bench.build({ dockerfile: `FROM pinned:latest@${digest}\nCOPY Dockerfile /` });
    assert.deepEqual(await built.layer(0), ["f 644 0:0 old 1"]);
    const missingTag = await bench.build({ dockerfile: `FROM pinned:no-such-tag@${digest}\nCOPY --from=pinned@${digest} / /x/` });
    assert.deepEqual(await missingTag.layer(-1), ["d 755 0:0 x", "f 644 0:0 x/old 1"]);
  });

  test("7.59 and other bytes under that digest stop the build", async () => {
    await bench.image("forged", ["f 644 0:0 a 1"]);
    const store = bench.registry().repositories.get("library/forged");
    const manifest = store?.manifests.get("latest") ?? assert.fail("it was put");
    const digest = digestOf(manifest.bytes);
    store?.manifests.set(digest, { type: manifest.type, bytes: Buffer.concat([manifest.bytes, Buffer.from(" ")]) });
    await assert.rejects(bench.build({ dockerfile: `FROM forged@${digest}\nCOPY Dockerfile /` }), new RegExp(digest));
    await assert.rejects(bench.build({ dockerfile: `FROM forged@sha256:${"0".repeat(64)}\nCOPY Dockerfile /` }), /404|MANIFEST_UNKNOWN/);
    assert.throws(() => parseReference("forged@sha256:short"));
  });
});
