// Images for several platforms: what is built once, what an index holds, and what cannot run here.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { canRun, emulatedArchitecture, findEmulators } from "../../src/build/emulation.ts";
import { annotationLevels } from "../../src/image/annotation.ts";
import { mediaTypes } from "../../src/image/encode.ts";
import type { Descriptor } from "../../src/image/image.ts";
import { hostPlatform, parsePlatform } from "../../src/image/platform.ts";
import { parseReference } from "../../src/image/reference.ts";
import { needsRoot } from "../sandbox/root.ts";
import { fileItem, openBuilder, putBase, temporaryDirectory } from "../support/build.ts";
import { foreign, foreignProgram, openEmulator } from "../support/emulator.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { putDocument } from "../support/registry-image.ts";

const platforms = [hostPlatform(), parsePlatform(`linux/${foreign}`)];

/** An index `base:1` of one image per platform, each with a file that names its platform. */
async function putIndex(t: Parameters<typeof putBase>[0], registry: TestRegistry): Promise<void> {
  const manifests = [];
  for (const { os, architecture } of platforms) {
    const image = await putBase(t, registry, `base:${architecture}`, [[fileItem("arch", architecture)]], {}, architecture);
    manifests.push({ ...image.manifest.descriptor, platform: { os, architecture } });
  }
  putDocument(registry, "base", "1", mediaTypes.oci.index, { schemaVersion: 2, mediaType: mediaTypes.oci.index, manifests });
}

function read(registry: TestRegistry, repository: string, name: string) {
  const bytes = registry.repositories.get(repository)?.manifests.get(name)?.bytes ?? Buffer.from("null");
  return JSON.parse(bytes.toString());
}

describe("a build for several platforms", () => {
  test("pushes one index, in the order asked for, and gives its digest", async (t) => {
    const registry = await startRegistry(t);
    await putIndex(t, registry);
    const builder = await openBuilder(t);
    const dockerfile = `FROM ${registry.host}/base:1\nARG TARGETARCH\nCOPY a /for-$TARGETARCH\nLABEL arch=$TARGETARCH`;
    const digestFile = join(builder.directory, "digest");
    const ociLayoutPath = join(builder.directory, "layout");
    const destinations = [parseReference(`${registry.host}/app:1`), parseReference(`${registry.host}/other:1`)];
    const { digest } = await builder.build(
      { Dockerfile: dockerfile, a: "a" },
      { platforms, destinations, outputs: { digestFile, ociLayoutPath } },
    );
    const index = read(registry, "app", "1");
    assert.equal(index.mediaType, mediaTypes.docker.index);
    assert.deepEqual(
      index.manifests.map(({ platform }: { platform: unknown }) => platform),
      platforms,
    );
    for (const { digest: part, platform } of index.manifests) {
      const manifest = read(registry, "other", part);
      const config = JSON.parse(registry.repositories.get("other")?.blobs.get(manifest.config.digest)?.toString() ?? "null");
      assert.equal(config.architecture, platform.architecture);
      assert.equal(config.config.Labels.arch, platform.architecture);
      assert.equal(manifest.layers.length, 2);
    }
    assert.equal(readFileSync(digestFile, "utf8"), digest);
    assert.equal(JSON.parse(readFileSync(join(ociLayoutPath, "index.json"), "utf8")).manifests[0].digest, digest);
  });

  test("annotates each level, for every platform or one", async (t) => {
    const registry = await startRegistry(t);
    await putIndex(t, registry);
    const builder = await openBuilder(t);
    const destinations = [parseReference(`${registry.host}/app:1`)];
    const second = parsePlatform(`linux/${foreign}`);
    const annotations = [
      ...annotationLevels.map((level) => ({ level, key: "at", value: level })),
      ...(["manifest", "manifest-descriptor"] as const).map((level) => ({ level, platform: second, key: "at", value: "second" })),
    ];
    const ociLayoutPath = join(builder.directory, "layout");
    const files = { Dockerfile: `FROM ${registry.host}/base:1` };
    await builder.build(files, { platforms, destinations, annotations, outputs: { ociLayoutPath } });
    const index = read(registry, "app", "1");
    assert.equal(index.mediaType, mediaTypes.oci.index);
    assert.deepEqual(index.annotations, { at: "index" });
    assert.deepEqual(
      index.manifests.map((part: Descriptor) => part.annotations),
      [{ at: "manifest-descriptor" }, { at: "second" }],
    );
    const manifests = index.manifests.map(({ digest }: Descriptor) => read(registry, "app", digest));
    assert.deepEqual(
      manifests.map((manifest: { annotations: unknown; mediaType: string }) => [manifest.annotations, manifest.mediaType]),
      [
        [{ at: "manifest" }, mediaTypes.oci.manifest],
        [{ at: "second" }, mediaTypes.oci.manifest],
      ],
    );
    const [top] = JSON.parse(readFileSync(join(ociLayoutPath, "index.json"), "utf8")).manifests;
    assert.equal(top.annotations.at, "index-descriptor");
    assert.equal(top.annotations["org.opencontainers.image.ref.name"], "1");
  });

  test("builds a stage of the build platform once", async (t) => {
    const registry = await startRegistry(t);
    await putIndex(t, registry);
    const builder = await openBuilder(t);
    const dockerfile = `FROM --platform=$BUILDPLATFORM ${registry.host}/base:1 AS tools\nCOPY a /made\nFROM scratch\nCOPY --from=tools /made /arch /`;
    await builder.build({ Dockerfile: dockerfile, a: "a" }, { platforms, destinations: [parseReference(`${registry.host}/app:1`)] });
    const steps = builder.events.filter(({ kind }) => kind === "step-start");
    assert.equal(steps.length, 3, "the shared stage's step, and one for each platform");
    const [one, two] = read(registry, "app", "1").manifests.map(({ digest }: { digest: string }) => read(registry, "app", digest));
    assert.equal(one.layers[0].digest, two.layers[0].digest);
  });

  test("refuses a RUN that cannot run here before it starts, and names the stage", async (t) => {
    const registry = await startRegistry(t);
    await putIndex(t, registry);
    const builder = await openBuilder(t);
    const dockerfile = `FROM ${registry.host}/base:1 AS compile\nRUN make`;
    await assert.rejects(
      builder.build({ Dockerfile: dockerfile }, { platforms: [parsePlatform("linux/s390x")] }),
      /no match for platform in manifest/,
    );
    const emulators = await findEmulators();
    const strange = ["s390x", "arm64", "amd64"].find((architecture) => !canRun({ os: "linux", architecture }, emulators));
    if (strange === undefined) return t.skip("every processor is emulated here");
    await putBase(t, registry, "base:strange", [[fileItem("a", "a")]], {}, strange);
    await assert.rejects(
      builder.build({ Dockerfile: dockerfile.replace("base:1", "base:strange") }, { platforms: [parsePlatform(`linux/${strange}`)] }),
      (error) => {
        assert.match(
          String(error),
          new RegExp(`stage "compile" is for linux/${strange}, and this machine is linux/${hostPlatform().architecture}`),
        );
        return true;
      },
    );
    assert.equal(builder.events.filter(({ kind }) => kind === "step-start").length, 0);
  });

  test("refuses a tar for docker load, which holds one image", async (t) => {
    const builder = await openBuilder(t);
    const outputs = { tarPath: join(builder.directory, "image.tar") };
    await assert.rejects(builder.build({ Dockerfile: "FROM scratch\nCOPY a /", a: "a" }, { platforms, outputs }), /holds one image/);
  });
});

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

for (const sandbox of ["ns", "chroot-bare"])
  test(`RUN runs programs of a foreign platform where an emulator is registered (${sandbox})`, async (t) => {
    const run = needsRoot(t) ? await openEmulator(t) : undefined;
    if (run === undefined) return;
    const context = await temporaryDirectory(t);
    copyFileSync(foreignProgram, join(context, "foreign"));
    copyFileSync("/bin/busybox", join(context, "busybox"));
    const dockerfile = `FROM scratch
COPY --chmod=755 busybox /bin/sh
COPY --chmod=755 foreign /foreign
RUN ["/foreign", "version"]
RUN test "$(/foreign version)" = "slipway-helper 1" && /foreign version >/made
FROM scratch
COPY --from=0 /made /
`;
    writeFileSync(join(context, "Dockerfile"), dockerfile);
    const options = [`--platform=linux/${foreign}`, `--sandbox=${sandbox}`, `--state-dir=${join(context, "state")}`, "--no-push"];
    const out = join(context, "out");
    const said = await run(process.execPath, [main, `--context=${context}`, ...options, `--output=${out}`]);
    assert.match(said, /\[stage-0 4\/5\] .*slipway-helper 1/);
    assert.equal(readFileSync(join(out, "made"), "utf8"), "slipway-helper 1\n");
  });

const registrations: readonly (readonly [architecture: string | undefined, magic: string, state?: string])[] = [
  ["arm64", "7f454c460201010000000000000000000200b700"],
  ["amd64", "7f454c4602010100000000000000000002003e00"],
  ["arm", "7f454c4601010100000000000000000002002800"],
  ["386", "7f454c4601010100000000000000000002000300"],
  ["s390x", "7f454c4602020100000000000000000000020016"],
  ["ppc64le", "7f454c4602010100000000000000000002001500"],
  ["riscv64", "7f454c460201010000000000000000000200f300"],
  ["arm64", "7f454c460201010000000000000000000200b7000000"],
  [undefined, "7f454c460201010000000000000000000200b700", "disabled"],
  [undefined, "7f454c46020101000000000000000000020026ff"],
  [undefined, "a70d0d0a"],
  [undefined, "7f454c46"],
];
for (const [architecture, magic, state = "enabled"] of registrations)
  test(`a registration of ${magic}, ${state}, is for ${architecture ?? "nothing known"}`, () => {
    const text = `${state}\ninterpreter /usr/bin/x\nflags: F\noffset 0\nmagic ${magic}\nmask ffff\n`;
    assert.equal(emulatedArchitecture(text), architecture);
  });

test("canRun knows the processor's own programs and those of emulators", () => {
  assert.equal(canRun(hostPlatform(), []), true);
  assert.equal(canRun(parsePlatform("linux/riscv64"), []), false);
  assert.equal(canRun(parsePlatform("linux/riscv64"), ["riscv64"]), true);
  assert.equal(canRun(parsePlatform("windows/amd64"), ["amd64"]), false);
});

test("of several targets the first is the image, and the others are built", async (t) => {
  const registry = await startRegistry(t);
  const builder = await openBuilder(t);
  const dockerfile =
    "FROM scratch AS one\nCOPY a /one\nFROM scratch AS two\nCOPY a /two\nFROM one AS three\nCOPY a /three\nFROM scratch\nCOPY a /last";
  const destinations = [parseReference(`${registry.host}/app:1`)];
  await builder.build({ Dockerfile: dockerfile, a: "a" }, { targets: ["three", "two"], destinations });
  assert.equal(read(registry, "app", "1").layers.length, 2);
  const stages = builder.events.flatMap((event) => (event.kind === "step-start" ? [event.step.stage] : []));
  assert.deepEqual(stages.sort(), ["one", "three", "two"]);
});
