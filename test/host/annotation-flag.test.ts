// Annotations in the spellings of docker buildx.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type GivenAnnotation,
  listLostAnnotations,
  placeAnnotations,
  readAnnotation,
  readAnnotationField,
} from "../../src/host/annotation-flag.ts";
import type { Annotation } from "../../src/image/annotation.ts";
import { parsePlatform } from "../../src/image/platform.ts";

const platforms = [parsePlatform("linux/amd64"), parsePlatform("linux/arm/v7")];
const read = (text: string) => readAnnotation({ text, source: "--annotation" });

function readOption(text: string): GivenAnnotation[] {
  const equals = text.indexOf("=");
  const one = readAnnotationField(text.slice(0, equals), text.slice(equals + 1), { text, source: "--output" });
  return one === undefined ? [] : [one];
}

const rows: readonly (readonly [reader: typeof read, text: string, expected: readonly Annotation[]])[] = [
  [read, "a=b=c:d", [{ level: "manifest", key: "a", value: "b=c:d" }]],
  [read, "a=", [{ level: "manifest", key: "a", value: "" }]],
  [read, "index:a:b=c", [{ level: "index", key: "a:b", value: "c" }]],
  [
    read,
    "index,manifest-descriptor[linux/arm],index-descriptor:a=b",
    [
      { level: "index", key: "a", value: "b" },
      { level: "manifest-descriptor", platform: parsePlatform("linux/arm/v7"), key: "a", value: "b" },
      { level: "index-descriptor", key: "a", value: "b" },
    ],
  ],
  [readOption, "annotation.a.b=c=d", [{ level: "manifest", key: "a.b", value: "c=d" }]],
  [readOption, "annotation[linux/amd64].a=b", [{ level: "manifest", platform: parsePlatform("linux/amd64"), key: "a", value: "b" }]],
  [readOption, "annotation-index-descriptor.a=b", [{ level: "index-descriptor", key: "a", value: "b" }]],
  [
    readOption,
    "annotation-manifest-descriptor[linux/arm/v7].a=b",
    [{ level: "manifest-descriptor", platform: parsePlatform("linux/arm/v7"), key: "a", value: "b" }],
  ],
  [readOption, "annotations=b", []],
];

const wrong: readonly (readonly [reader: typeof read, text: string, reason: RegExp])[] = [
  [read, "a", /invalid argument "a" for --annotation: must be \[LEVEL:\]KEY=VALUE/],
  [read, "=b", /must be \[LEVEL:\]KEY=VALUE/],
  [read, "index:=b", /must be \[LEVEL:\]KEY=VALUE/],
  [read, "layer:a=b", /unknown level "layer"; it must be one of manifest, manifest-descriptor, index, index-descriptor/],
  [read, "index,:a=b", /unknown level ""/],
  [read, "manifest[a/b/c/d]:a=b", /invalid platform "a\/b\/c\/d"/],
  [read, "index[linux/amd64]:a=b", /index is of all platforms/],
  [read, "manifest[linux/s390x]:a=b", /no platform linux\/s390x is built, only linux\/amd64, linux\/arm\/v7/],
  [readOption, "annotation-layer.a=b", /for --output: unknown level "layer"/],
  [readOption, "annotation-index=b", /"annotation-index" must be annotation\[-LEVEL\].KEY/],
];

describe("annotations", () => {
  for (const [reader, text, expected] of rows)
    test(text, () => assert.deepEqual(placeAnnotations(reader(text), platforms, false), expected));
  for (const [reader, text, message] of wrong)
    test(`${text} is refused`, () =>
      assert.throws(() => placeAnnotations(reader(text), platforms, false), { name: "UsageError", message }));

  test("of an index need several platforms, and those of descriptors and indexes OCI's types", () => {
    const single = platforms.slice(0, 1);
    for (const level of ["index", "index-descriptor"])
      assert.throws(() => placeAnnotations(read(`${level}:a=b`), single, false), /not supported for a single platform/);
    assert.throws(() => placeAnnotations(read("manifest-descriptor:a=b"), single, true), /cannot be used with --image-format=docker/);
    assert.equal(placeAnnotations(read("manifest:a=b"), single, true).length, 1);
  });

  const places: readonly (readonly [level: Annotation["level"], isIndex: boolean, isLost: boolean])[] = [
    ["manifest", false, false],
    ["manifest-descriptor", false, true],
    ["manifest-descriptor", true, false],
    ["index", true, false],
    ["index-descriptor", true, true],
  ];
  for (const [level, isIndex, isLost] of places)
    test(`of a ${level} ${isLost ? "are lost" : "are kept"} without an OCI layout, ${isIndex ? "several platforms" : "one platform"}`, () => {
      const all = [{ level, key: "a", value: "b" }];
      assert.equal(listLostAnnotations(all, isIndex, {}).length, isLost ? 1 : 0);
      assert.deepEqual(listLostAnnotations(all, isIndex, { ociTarPath: "/x" }), []);
    });
});
