// How images in OCI layouts are named.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatImageName, type LayoutReference, parseLayoutReference } from "../../src/image/layout.ts";
import { parseReference } from "../../src/image/reference.ts";

const digest = `sha256:${"a".repeat(64)}` as const;

const rows: readonly [text: string, expected: LayoutReference][] = [
  ["oci-layout:///a/b", { directory: "/a/b" }],
  ["oci-layout:///a/b:v1", { directory: "/a/b", tag: "v1" }],
  ["oci-layout:///a:x/b", { directory: "/a:x/b" }],
  ["oci-layout:///a@x/b:v1", { directory: "/a@x/b", tag: "v1" }],
  [`oci-layout:///a/b@${digest}`, { directory: "/a/b", digest }],
  [`oci-layout:///a/b:v1@${digest}`, { directory: "/a/b", tag: "v1", digest }],
];

for (const [text, expected] of rows)
  test(text, () => {
    assert.deepEqual(parseLayoutReference(text), expected);
    assert.equal(formatImageName(expected), text);
  });

test("other texts are none, and mistakes are told", () => {
  for (const text of ["/a/b", "docker-image://a", "oci-layout:/a"]) assert.equal(parseLayoutReference(text), undefined);
  assert.throws(() => parseLayoutReference("oci-layout://a/b"), /its directory must be absolute/);
  assert.throws(() => parseLayoutReference("oci-layout:///a:"), /its tag is empty/);
  assert.throws(() => parseLayoutReference("oci-layout:///a@md5:1"), /"md5:1" is no digest/);
  assert.equal(formatImageName(parseReference("alpine:3")), "index.docker.io/library/alpine:3");
});
