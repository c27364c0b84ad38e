// Whole builds without RUN: what is pushed, written and downloaded, and what a failed one leaves.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BuildFailure } from "../../src/build/build.ts";
import { parseReference } from "../../src/image/reference.ts";
import { directoryItem, fileItem, openBuilder, putBase, temporaryDirectory } from "../support/build.ts";
import { pushed } from "../support/pushed.ts";
import { startRegistry } from "../support/registry.ts";

const passwd = fileItem("etc/passwd", "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\n");
const baseLayers = [
  [directoryItem("etc"), passwd, directoryItem("bin"), fileItem("bin/tool", "tool", { mode: 0o755 })],
  [fileItem("bin/more", "more")],
];

describe("a build without RUN", () => {
  test("pushes the same image to every destination, and says its digest in files", async (t) => {
    const registry = await startRegistry(t);
    const base = await putBase(t, registry, "base:1", baseLayers, { Env: ["PATH=/bin"], Cmd: ["sh"] });
    const builder = await openBuilder(t);
    const destinations = ["app:a", "app:b", "other/name"].map((name) => parseReference(`${registry.host}/${name}`));
    const outputs = {
      digestFile: join(builder.directory, "out/digest"),
      imageNameWithDigestFile: join(builder.directory, "names"),
      imageNameTagWithDigestFile: join(builder.directory, "tagged"),
      tarPath: join(builder.directory, "image.tar"),
      ociLayoutPath: join(builder.directory, "layout"),
    };
    const dockerfile = `FROM ${registry.host}/base:1 AS build\nWORKDIR /made\nCOPY src .\nFROM ${registry.host}/base:1\nCOPY --from=build --chown=www /made /bin/tool /srv/\nENV A=1\nLABEL x=y`;
    const result = await builder.build({ Dockerfile: dockerfile, "src/a": "a", "src/b/c": "c" }, { destinations, outputs });
    const image = pushed(registry, "app", "a");
    assert.ok(image);
    assert.equal(image.digest, result.digest);
    assert.equal(pushed(registry, "app", "b")?.digest, result.digest);
    assert.equal(pushed(registry, "other/name", "latest")?.digest, result.digest);
    assert.equal(image.manifest.layers.length, 3);
    assert.deepEqual(image.manifest.layers[0].digest, base.image.layers[0]?.descriptor.digest);
    assert.deepEqual(image.config.config, { Cmd: ["sh"], Env: ["PATH=/bin", "A=1"], Labels: { x: "y" } });
    const own = image.config.history?.slice(2).map(({ created_by, empty_layer }) => [created_by, empty_layer ?? false]);
    assert.deepEqual(own, [
      ["COPY --chown=www /made /bin/tool /srv/ # buildkit", false],
      ["ENV A=1", true],
      ["LABEL x=y", true],
    ]);
    assert.equal(readFileSync(outputs.digestFile, "utf8"), result.digest);
    assert.equal(readFileSync(outputs.imageNameWithDigestFile, "utf8").split("\n")[0], `${registry.host}/app@${result.digest}`);
    assert.equal(readFileSync(outputs.imageNameTagWithDigestFile, "utf8").split("\n")[1], `${registry.host}/app:b@${result.digest}`);
    assert.ok(existsSync(outputs.tarPath));
    assert.ok(existsSync(join(outputs.ociLayoutPath, "index.json")));
  });

  test("downloads no layer of a base whose files it does not look at, and mounts its blobs", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    await builder.build({ Dockerfile: `FROM ${registry.host}/base:1\nENV A=1\nCMD ["x"]` }, { destinations });
    assert.equal(registry.count("GET", /\/blobs\/sha256/), 1, "only the configuration is read");
    assert.equal(registry.count("POST", /uploads\/\?.*mount=/), 2);
    assert.ok(pushed(registry, "app", "1"));
  });

  test("gives the same layers again, and with --reproducible the same digest", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const files = { Dockerfile: `FROM ${registry.host}/base:1\nWORKDIR /new\nCOPY a b /new/`, a: "a", b: "b" };
    const first = await builder.build(files, { reproducible: true });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const second = await builder.build(files, { reproducible: true });
    assert.ok(first.digest);
    assert.equal(second.digest, first.digest);
  });

  test("gives an image with zstd layers OCI's media types, whatever its base has", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const files = { Dockerfile: `FROM ${registry.host}/base:1\nCOPY a /`, a: "a" };
    const familyOf = async (compression: "gzip" | "zstd") => {
      await builder.build(files, { destinations, compression });
      const manifest = pushed(registry, "app", "1")?.manifest;
      return [manifest, manifest.config, ...manifest.layers].map(({ mediaType }) => mediaType.replace(/^application\/vnd\./, ""));
    };
    assert.deepEqual((await familyOf("zstd")).slice(0, 2), ["oci.image.manifest.v1+json", "oci.image.config.v1+json"]);
    assert.deepEqual((await familyOf("zstd")).slice(-2), ["oci.image.layer.v1.tar+gzip", "oci.image.layer.v1.tar+zstd"]);
    assert.equal((await familyOf("gzip"))[0], "docker.distribution.manifest.v2+json");
  });

  test("builds that share a state directory do not disturb each other, and leave nothing but what the next one can use", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const stateDir = join(builder.directory, "geteilt für alle");
    const archive = execFileSync("tar", ["-c", "plan.txt"], { cwd: fileURLToPath(new URL("plans/onbuild-runs-once", import.meta.url)) });
    const build = (path: string) => {
      const dockerfile = `FROM scratch\nCOPY --from=${registry.host}/base:1 ${path} /x\nADD a.tar /`;
      const options = { stateDir, stateIsPrivate: false, reproducible: true };
      return builder.build({ Dockerfile: dockerfile, "a.tar": archive.toString() }, options);
    };
    const paths = ["/bin/tool", "/etc/passwd", "/bin/more", "/bin/tool"];
    const digests = (await Promise.all(paths.map(build))).map(({ digest }) => digest);
    assert.equal(new Set(digests).size, 3);
    assert.equal(digests[3], digests[0]);
    assert.deepEqual(
      readdirSync(stateDir, { recursive: true, encoding: "utf8" })
        .filter((name) => !name.startsWith("blobs/sha256/"))
        .sort(),
      ["blobs", "blobs/sha256", "blobs/unfinished", "work"],
    );
  });

  test("leaves no tag, file or state directory when a late step fails", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const outputs = { digestFile: join(builder.directory, "digest"), tarPath: join(builder.directory, "image.tar") };
    const dockerfile = `FROM ${registry.host}/base:1\nCOPY a /x\n\nCOPY a /bin/tool/y`;
    await assert.rejects(builder.build({ Dockerfile: dockerfile, a: "a" }, { destinations, outputs }), (error) => {
      assert.ok(error instanceof BuildFailure);
      assert.match(error.message, /"\/bin\/tool" is not a directory/);
      assert.equal(error.place?.line, 4);
      assert.equal(error.phase, "building image");
      return true;
    });
    assert.equal(pushed(registry, "app", "1"), undefined);
    assert.deepEqual(
      readdirSync(builder.directory).filter((name) => !name.startsWith("context")),
      [],
    );
  });

  const failures: readonly (readonly [what: string, files: Record<string, string>, reason: RegExp, line?: number])[] = [
    ["a Dockerfile that is missing", { other: "" }, /Dockerfile/],
    [
      "an instruction that is none",
      { Dockerfile: "FROM scratch\nFNTRYPOINT x" },
      /unknown instruction: FNTRYPOINT.*did you mean ENTRYPOINT/,
      2,
    ],
    ["a source that is missing", { Dockerfile: "FROM scratch\nCOPY nope /" }, /"\/nope": not found/, 2],
    ["a source that is ignored", { Dockerfile: "FROM scratch\nCOPY a /", a: "", ".dockerignore": "a" }, /"\/a": not found/, 2],
    ["a base that is not there", { Dockerfile: "FROM HOST/nope:1" }, /nope:1/, 1],
  ];
  for (const [what, files, reason, line] of failures)
    test(`refuses ${what} before anything is written`, async (t) => {
      const registry = await startRegistry(t);
      const builder = await openBuilder(t);
      const dockerfile = files.Dockerfile?.replace("HOST", registry.host);
      const context = dockerfile === undefined ? files : { ...files, Dockerfile: dockerfile };
      await assert.rejects(builder.build(context, { destinations: [parseReference(`${registry.host}/app:1`)] }), (error) => {
        assert.ok(error instanceof BuildFailure);
        assert.match(`${error.message} ${error.hint ?? ""}`, reason);
        assert.equal(error.place?.line, line);
        return true;
      });
      assert.equal(registry.repositories.get("app")?.manifests.size ?? 0, 0);
    });

  test("ends at once when it is cancelled", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    registry.order({ kind: "stall", after: 10, path: /blobs\/sha256/, times: 9 });
    const builder = await openBuilder(t);
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(new Error("cancelled by the test")), 200);
    const started = performance.now();
    await assert.rejects(builder.build({ Dockerfile: `FROM ${registry.host}/base:1\nCOPY Dockerfile /` }, {}, cancel.signal));
    assert.ok(performance.now() - started < 3000);
  });
});

describe("the time and form of an image", () => {
  const files = { Dockerfile: "", a: "a" };
  const dockerfile = (host: string) => `FROM ${host}/base:1\nWORKDIR /new\nCOPY a /new/\nENV A=1`;
  const epoch = 1_600_000_000;

  test("SOURCE_DATE_EPOCH is the time of the configuration, of its history, and of what the build creates", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const build = (tag: string, rewriteTimestamp: boolean) =>
      builder.build(
        { ...files, Dockerfile: dockerfile(registry.host) },
        {
          buildArgs: new Map([["SOURCE_DATE_EPOCH", `${epoch}`]]),
          rewriteTimestamp,
          destinations: [parseReference(`${registry.host}/app:${tag}`)],
        },
      );
    const first = await build("1", true);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assert.equal((await build("2", true)).digest, first.digest);
    assert.notEqual((await build("3", false)).digest, first.digest);
    const image = pushed(registry, "app", "1");
    const time = "2020-09-13T12:26:40Z";
    assert.equal(image?.config.created, time);
    assert.deepEqual([...new Set(image?.config.history?.slice(2).map(({ created }) => created))], [time]);
  });

  const wrong: readonly (readonly [value: string, reason: RegExp])[] = [
    ["soon", /invalid SOURCE_DATE_EPOCH: soon$/],
    ["253402300800", /invalid SOURCE_DATE_EPOCH: 253402300800$/],
    ["-1", /invalid SOURCE_DATE_EPOCH: -1$/],
  ];
  for (const [value, reason] of wrong)
    test(`SOURCE_DATE_EPOCH=${value} is refused`, async (t) => {
      const builder = await openBuilder(t);
      await assert.rejects(builder.build({ Dockerfile: `ARG SOURCE_DATE_EPOCH=${value}\nFROM scratch` }), reason);
    });

  test("--image-format and --annotation decide over the base", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "base:1", baseLayers);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const annotations = [{ level: "manifest", key: "org.opencontainers.image.title", value: "app" }] as const;
    await builder.build({ ...files, Dockerfile: dockerfile(registry.host) }, { destinations, imageFormat: "oci", annotations });
    const image = pushed(registry, "app", "1");
    assert.equal(image?.manifest.mediaType, "application/vnd.oci.image.manifest.v1+json");
    assert.equal(image?.manifest.config.mediaType, "application/vnd.oci.image.config.v1+json");
    assert.ok(
      image?.manifest.layers.every(({ mediaType }: { mediaType: string }) => mediaType === "application/vnd.oci.image.layer.v1.tar+gzip"),
    );
    assert.deepEqual(image?.manifest.annotations, { "org.opencontainers.image.title": "app" });
  });
});

describe("--build-context", () => {
  test("gives directories under their own ignore file, and images in the place of names and stages", async (t) => {
    const registry = await startRegistry(t);
    await putBase(t, registry, "other:1", [[fileItem("from-other", "o")]], { Labels: { other: "1" } });
    const builder = await openBuilder(t);
    const files = await temporaryDirectory(t);
    writeFileSync(join(files, "a"), "a");
    writeFileSync(join(files, "hidden"), "h");
    writeFileSync(join(files, ".dockerignore"), "hidden\n.dockerignore\n");
    const buildContexts = new Map([
      ["files", files],
      ["base", `docker-image://${registry.host}/other:1`],
    ]);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const dockerfile = "FROM nowhere.example/x AS base\nRUN false\nFROM base\nCOPY --from=files . /files/\nCOPY --from=base /from-other /x";
    await builder.build({ Dockerfile: dockerfile }, { buildContexts, destinations });
    const image = pushed(registry, "app", "1");
    assert.deepEqual(image?.config.config?.Labels, { other: "1" });
    assert.equal(image?.manifest.layers.length, 3);
    const missing = { Dockerfile: "FROM scratch\nCOPY --from=files hidden /" };
    await assert.rejects(builder.build(missing, { buildContexts }), /"\/hidden": not found/);
  });

  const wrong: readonly (readonly [value: string, reason: RegExp])[] = [
    ["https://example.com/x.git?a=1", /Cannot use build context "c=https:\/\/example.com\/x.git\?a=…": unexpected query "a"/],
    ["target:x", /Cannot use build context "c=target:x": it names a target of a bake file; name a stage of the Dockerfile itself instead/],
    ["ftp://x", /unsupported context source ftp:\/\//],
    ["docker-image://UPPER", /UPPER/],
    ["/nowhere/at/all", /"\/nowhere\/at\/all" does not exist/],
  ];
  for (const [value, reason] of wrong)
    test(`refuses ${value}`, async (t) => {
      const builder = await openBuilder(t);
      const build = builder.build({ Dockerfile: "FROM scratch\nCOPY --from=c / /" }, { buildContexts: new Map([["c", value]]) });
      await assert.rejects(build, (error) => error instanceof BuildFailure && reason.test(error.message));
    });
});
