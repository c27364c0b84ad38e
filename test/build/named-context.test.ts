// What --build-context says, and which names it stands for.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type NamedContext, readNamedContexts } from "../../src/build/named-context.ts";
import { parseReference } from "../../src/image/reference.ts";

const amd64 = { os: "linux", architecture: "amd64" };

describe("a named context is", () => {
  const git = { submodules: true, keepGitDir: false, mtime: "checkout", fetchByCommit: false } as const;
  const rows: readonly (readonly [value: string, expected: NamedContext])[] = [
    ["/some/where", { kind: "files", source: { kind: "directory", path: "/some/where" } }],
    ["docker-image://alpine", { kind: "image", reference: parseReference("alpine:latest") }],
    ["docker-image://scratch", { kind: "scratch" }],
    ["oci-layout:///some/where:v1", { kind: "image", reference: { directory: "/some/where", tag: "v1" } }],
    ["git://h/a", { kind: "files", source: { kind: "git", source: { ...git, remote: "git://h/a" } } }],
    ["git@h:a#v1:sub", { kind: "files", source: { kind: "git", source: { ...git, remote: "git@h:a", ref: "v1", subdir: "sub" } } }],
    ["https://h/a.git", { kind: "files", source: { kind: "git", source: { ...git, remote: "https://h/a.git" } } }],
    ["https://h/a", { kind: "files", source: { kind: "web", url: "https://h/a" } }],
  ];
  for (const [value, expected] of rows)
    test(value, () => assert.deepEqual(readNamedContexts(new Map([["n", value]])).find("n", amd64)?.context, expected));
});

test("a name is found by every spelling, one for the platform first", () => {
  const contexts = readNamedContexts(
    new Map([
      ["alpine", "/alpine"],
      ["docker.io/library/debian:latest", "/debian"],
      ["r.test/a:v1", "/tagged"],
      ["Build", "/stage"],
      ["x", "/any"],
      ["x::linux/arm64", "/arm64"],
    ]),
  );
  const rows: readonly (readonly [name: string, expected: string | undefined])[] = [
    ["alpine", "/alpine"],
    ["alpine:latest", "/alpine"],
    ["docker.io/library/alpine:latest", "/alpine"],
    ["index.docker.io/library/alpine", "/alpine"],
    ["alpine:3", undefined],
    ["debian", "/debian"],
    ["r.test/a:v1", "/tagged"],
    ["r.test/a", undefined],
    ["build", "/stage"],
    ["BUILD", "/stage"],
    ["x", "/any"],
  ];
  const pathOf = (name: string, platform = amd64) => {
    const context = contexts.find(name, platform)?.context;
    return context?.kind === "files" && context.source.kind === "directory" ? context.source.path : undefined;
  };
  for (const [name, expected] of rows) assert.equal(pathOf(name), expected, name);
  assert.equal(pathOf("x", { os: "linux", architecture: "arm64" }), "/arm64");
});

describe("a named context is not", () => {
  const rows: readonly (readonly [name: string, value: string, message: RegExp])[] = [
    ["scratch", "/x", /^Cannot use build context "scratch=\/x": the name "scratch" is reserved$/],
    ["Context", "/x", /the name "Context" is reserved/],
    ["n", "x", /it must be an absolute directory/],
    ["n", "target:x", /it names a target of a bake file; name a stage of the Dockerfile itself instead/],
    ["n", "ftp://x", /unsupported context source ftp:\/\//],
    ["n", "https://tok@h/a.git?bogus=1", /^Cannot use build context "n=https:\/\/h\/a\.git\?bogus=…": unexpected query "bogus"$/],
  ];
  for (const [name, value, message] of rows)
    test(`${name}=${value}`, () => assert.throws(() => readNamedContexts(new Map([[name, value]])), { name: "SyntaxError", message }));
});
