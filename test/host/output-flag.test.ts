// --output in the spellings of docker buildx.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readOutputFlags } from "../../src/host/output-flag.ts";
import { UsageError } from "../../src/host/usage.ts";

const nothing: ReturnType<typeof read> = { pushed: [], named: [], files: {}, annotations: [] };

function read(...texts: string[]) {
  const { annotations, ...rest } = readOutputFlags(texts.map((text) => ({ text, source: "--output" })));
  return { ...rest, annotations: annotations.map(({ given: _, ...annotation }) => annotation) };
}

const rows: readonly (readonly [texts: string[], expected: Partial<ReturnType<typeof read>>])[] = [
  [["out"], { files: { rootPath: "out" } }],
  [["type=local,dest=out"], { files: { rootPath: "out" } }],
  [["type=tar,dest=out.tar"], { files: { rootTarPath: "out.tar" } }],
  [["type=oci,dest=o.tar,name=a:1"], { files: { ociTarPath: "o.tar" }, named: ["a:1"] }],
  [["type=oci,dest=o,tar=false"], { files: { ociLayoutPath: "o" } }],
  [["type=docker,dest=d.tar", "type=image,name=r/a,push=true"], { files: { tarPath: "d.tar" }, pushed: ["r/a"] }],
  [['type=image,"name=r/a:1,r/a:2",push=true'], { pushed: ["r/a:1", "r/a:2"] }],
  [["type=registry,name=r/a"], { pushed: ["r/a"] }],
  [["type=image,name=r/a"], { named: ["r/a"] }],
  [
    [
      "type=image,name=a,push=true,annotation.x.y=z,annotation-index.a=b,oci-mediatypes=true,rewrite-timestamp=true,compression=zstd,compression-level=19",
    ],
    {
      pushed: ["a"],
      annotations: [
        { level: "manifest", key: "x.y", value: "z" },
        { level: "index", key: "a", value: "b" },
      ],
      ociTypes: true,
      rewriteTimestamp: true,
      compression: "zstd",
      compressionLevel: "19",
    },
  ],
];

describe("--output", () => {
  for (const [texts, expected] of rows) test(texts.join(" "), () => assert.deepEqual(read(...texts), { ...nothing, ...expected }));

  const wrong: readonly (readonly [text: string, reason: RegExp])[] = [
    ["type=cloud", /type must be one of image, registry, oci, docker, local, tar/],
    ["type=tar", /dest is missing/],
    ["type=tar,dest=-", /standard output is not supported/],
    ["type=image,push=true", /name is missing/],
    ["type=image,name=a,unpack=true", /"unpack" is not yet supported/],
    ["type=image,name=a,compression=estargz", /compression "estargz" is not yet supported/],
    ["type=docker,dest=a,tar=false", /type=docker is always a tar/],
    ["type=tar,dest", /must be type=NAME,KEY=VALUE/],
  ];
  for (const [text, reason] of wrong)
    test(`${text} is refused`, () =>
      assert.throws(
        () => read(text),
        (error) => error instanceof UsageError && reason.test(error.message),
      ));
});
