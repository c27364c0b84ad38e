// Stages and bases by name and number, triggers, and stages for several platforms.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { mediaTypes } from "../../src/image/encode.ts";
import { hostPlatform, parsePlatform } from "../../src/image/platform.ts";
import { layerOf } from "../sandbox/stage.ts";
import { putLayers } from "../support/build.ts";
import { tarOf } from "../support/pushed.ts";
import { putDocument } from "../support/registry-image.ts";
import { itemsOfLines } from "../support/trees.ts";
import { openWorkbench, testRows, type Workbench } from "./workbench.ts";

const host = hostPlatform().architecture;
const foreign = host === "arm64" ? "amd64" : "arm64";

/** An index of images of one file, `which`, that holds the platform's name. */
async function putIndex({ registry }: Workbench, name: string, platforms: readonly string[]): Promise<void> {
  const manifests = [];
  for (const text of platforms) {
    const platform = parsePlatform(text);
    const tar = await tarOf(itemsOfLines(`f 644 0:0 which ${text}`));
    const tag = text.replaceAll("/", "-");
    const { manifest } = await putLayers(registry(), `library/${name}:${tag}`, [layerOf(gzipSync(tar), "gzip")], {}, platform.architecture);
    const [os, architecture, variant] = text.split("/");
    manifests.push({ ...manifest.descriptor, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } });
  }
  const type = mediaTypes.oci.index;
  putDocument(registry(), `library/${name}`, "latest", type, { schemaVersion: 2, mediaType: type, manifests });
}

const bench = openWorkbench(async (opened) => {
  await opened.image("image", ["f 644 0:0 from image"]);
  await opened.image("triggers", ["f 644 0:0 below B"], {
    OnBuild: ["COPY one /first", "ENV SEEN=1", "COPY --from=local /x /second", "LABEL order=$SEEN"],
  });
  await putIndex(opened, "both", [`linux/${host}`, `linux/${foreign}`]);
  await putIndex(opened, "arm", ["linux/arm/v6", "linux/arm64/v8"]);
  await putIndex(opened, "lacking", ["linux/s390x"]);
});

const context = "f 644 0:0 one 1\nf 644 0:0 x X";

testRows(
  bench,
  [
    {
      what: "7.43 names of stages do not care for case",
      dockerfile: "FROM image AS Build\nFROM scratch\nCOPY --from=bUILD /from /x",
      gives: ["f 644 0:0 x image"],
    },
    {
      what: "7.43 --from takes a stage's number, named or not",
      dockerfile: "FROM image AS named\nFROM scratch\nCOPY one /\nFROM scratch\nCOPY --from=0 /from /a/\nCOPY --from=1 /one /a/",
      gives: ["d 755 0:0 a", "f 644 0:0 a/one 1"],
    },
    {
      what: "7.43 a stage shadows an image of its name",
      dockerfile: "FROM scratch AS image\nCOPY one /from\nFROM scratch\nCOPY --from=image /from /x",
      gives: ["f 644 0:0 x 1"],
    },
    {
      what: "7.43 and of two stages of a name the later one counts",
      dockerfile: "FROM image AS twice\nFROM scratch AS twice\nCOPY one /from\nFROM twice\nCOPY --from=twice /from /x",
      gives: ["f 644 0:0 x 1"],
    },
    {
      what: "7.43 --from of an image pulls it",
      dockerfile: "FROM scratch\nCOPY --from=image:latest /from /x",
      gives: ["f 644 0:0 x image"],
    },
    {
      what: "7.43 paths of --from begin at the root, not at the other stage's WORKDIR",
      dockerfile: "FROM image AS one\nWORKDIR /w\nCOPY one from\nFROM scratch\nCOPY --from=one from ./w/../from /x/",
      gives: ["d 755 0:0 x", "f 644 0:0 x/from image"],
    },
    {
      what: "7.43 a stage cannot copy from itself",
      dockerfile: "FROM scratch AS a\nCOPY --from=a /x /",
      fails: /circular dependency detected on stage: a/,
    },
    { what: "7.43 nor by its number", dockerfile: "FROM scratch\nCOPY --from=0 /x /", fails: /circular dependency|invalid stage index|0/ },
    {
      what: "7.43 nor from a later one",
      dockerfile: "FROM scratch AS a\nCOPY --from=b /x /\nFROM scratch AS b\nCOPY --from=a / /",
      fails: /cannot copy from stage "b", it needs to be defined before current stage/,
    },
    {
      what: "7.44 triggers of the base come first, in order, may name stages here, and are gone from the image",
      dockerfile: "FROM scratch AS local\nCOPY x /x\nFROM triggers\nCOPY one /third\nLABEL seen=$SEEN",
      gives: ["f 644 0:0 third 1"],
      config: { Labels: { order: "1", seen: "1" }, OnBuild: undefined },
    },
    {
      what: "7.44 triggers of a stage fire in its child",
      dockerfile:
        "FROM image AS one\nONBUILD COPY one /fired\nFROM one AS two\nFROM scratch\nCOPY --from=one / /one/\nCOPY --from=two / /two/",
      gives: ["d 755 0:0 two", "f 644 0:0 two/fired 1", "f 644 0:0 two/from image"],
    },
    {
      what: "7.44 and not in its grandchild",
      dockerfile: "FROM image AS one\nONBUILD LABEL fired=$fired+\nONBUILD ENV fired=again\nFROM one AS two\nFROM two",
      config: { Labels: { fired: "+" }, OnBuild: undefined },
    },
    {
      what: "7.44 what the last stage says is in the image",
      dockerfile: 'FROM image\nONBUILD COPY . /x\nONBUILD RUN ["a"]',
      config: { OnBuild: ["COPY . /x", 'RUN ["a"]'] },
    },
    {
      what: "7.44 a trigger that is none of the allowed instructions is refused",
      dockerfile: "FROM image\nONBUILD FROM x",
      fails: /FROM isn't allowed as an ONBUILD trigger/i,
    },
  ],
  context,
);

test("7.43 FROM an earlier stage asks no registry for that name", async () => {
  const { registry } = bench;
  const before = registry().requests.length;
  await bench.build({ dockerfile: "FROM scratch AS nowhere\nCOPY one /\nFROM nowhere\nCOPY --from=nowhere /one /two", context });
  assert.deepEqual(
    registry()
      .requests.slice(before)
      .filter(({ path }) => path.includes("nowhere")),
    [],
  );
});

test("7.44 the layers of triggers lie in order above the base's", async () => {
  const built = await bench.build({ dockerfile: "FROM scratch AS local\nCOPY x /x\nFROM triggers\nCOPY one /third", context });
  const layers = await Promise.all([0, 1, 2, 3].map((at) => built.layer(at)));
  assert.deepEqual(layers, [["f 644 0:0 below B"], ["f 644 0:0 first 1"], ["f 644 0:0 second X"], ["f 644 0:0 third 1"]]);
});

const both = { platforms: [`linux/${host}`, `linux/${foreign}`].map(parsePlatform) };

test("7.58 arguments and bases are those of each platform, and a stage of the builder's platform is built once", async () => {
  const dockerfile = `FROM --platform=$BUILDPLATFORM both AS tools
ARG BUILDARCH
LABEL of=$BUILDARCH
COPY Dockerfile /tool
FROM both
ARG TARGETARCH TARGETPLATFORM BUILDARCH
LABEL target=$TARGETARCH platform=$TARGETPLATFORM build=$BUILDARCH
COPY --from=tools /which /tools-for
`;
  const built = await bench.buildAll({ dockerfile, request: both });
  assert.deepEqual([...built.keys()], [`linux/${host}`, `linux/${foreign}`]);
  for (const [platform, image] of built) {
    const architecture = platform.split("/")[1];
    assert.deepEqual(await image.layer(0), [`f 644 0:0 which ${platform}`]);
    assert.deepEqual(await image.layer(-1), [`f 644 0:0 tools-for linux/${host}`]);
    assert.deepEqual(image.config.Labels, { target: architecture, platform, build: host });
    assert.equal(image.image.architecture, architecture);
  }
  const steps = [...built.values()][0]?.steps ?? [];
  assert.equal(steps.filter((text) => text.startsWith("COPY Dockerfile")).length, 1);
});

test("7.58 FROM --platform decides over the build's platform", async () => {
  const built = await bench.build({
    dockerfile: `FROM --platform=linux/${foreign} both AS other\nFROM scratch\nCOPY --from=other /which /x`,
  });
  assert.deepEqual(await built.layer(-1), [`f 644 0:0 x linux/${foreign}`]);
});

const variants: readonly (readonly [asked: string, gets: string])[] = [
  ["linux/arm/v7", "linux/arm/v6"],
  ["linux/arm/v6", "linux/arm/v6"],
  ["linux/arm64", "linux/arm64/v8"],
  ["linux/arm64/v8", "linux/arm64/v8"],
];
for (const [asked, gets] of variants)
  test(`7.58 ${asked} takes the ${gets} of an index`, async () => {
    const built = await bench.build({ dockerfile: "FROM arm\nCOPY Dockerfile /", request: { platforms: [parsePlatform(asked)] } });
    assert.deepEqual(await built.layer(0), [`f 644 0:0 which ${gets}`]);
  });

testRows(bench, [
  {
    what: "7.58 arm/v5 has nothing to fall back to",
    dockerfile: "FROM arm\nCOPY Dockerfile /",
    request: { platforms: [parsePlatform("linux/arm/v5")] },
    fails: /no match for platform in manifest/,
  },
  {
    what: "7.58 an index without the platform is an error, which says what it has",
    dockerfile: "FROM lacking\nCOPY Dockerfile /",
    fails: /no match for platform in manifest sha256:\w+; it offers linux\/s390x/,
  },
  {
    what: "7.58 an image of another platform alone is used, with a warning",
    dockerfile: "FROM image\nCOPY one /",
    context,
    request: { platforms: [parsePlatform("linux/s390x")] },
    gives: ["f 644 0:0 one 1"],
    warns: /InvalidBaseImagePlatform: Base image .* was pulled with platform "linux\/\w+", expected "linux\/s390x"/,
  },
]);
