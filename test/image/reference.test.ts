// References: which texts are some, what they mean, and how they are written.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatReference,
  normalizeRegistry,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from "../../src/image/reference.ts";

const hex = "0123456789abcdef".repeat(4);

const good: [text: string, formatted: string][] = [
  ["alpine", "index.docker.io/library/alpine"],
  ["alpine:3.20", "index.docker.io/library/alpine:3.20"],
  ["user/app", "index.docker.io/user/app"],
  ["docker.io/alpine", "index.docker.io/library/alpine"],
  ["docker.io/library/alpine", "index.docker.io/library/alpine"],
  ["index.docker.io/alpine", "index.docker.io/library/alpine"],
  ["registry-1.docker.io/user/app:1", "index.docker.io/user/app:1"],
  ["localhost/app", "localhost/app"],
  ["localhost:5000/app:x", "localhost:5000/app:x"],
  ["127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b"],
  ["[::1]:5000/app", "[::1]:5000/app"],
  ["[2001:db8::1]/app", "[2001:db8::1]/app"],
  ["gcr.io/project/app", "gcr.io/project/app"],
  ["GCR.io/project/app", "gcr.io/project/app"],
  ["REGISTRY/app", "REGISTRY/app"],
  ["LOCALHOST/app", "localhost/app"],
  ["host.example:443/a/b/c/d:latest", "host.example:443/a/b/c/d:latest"],
  ["a_b/c__d/e-f/g---h/i.j", "index.docker.io/a_b/c__d/e-f/g---h/i.j"],
  [`alpine@sha256:${hex}`, `index.docker.io/library/alpine@sha256:${hex}`],
  [`alpine:3@sha256:${hex}`, `index.docker.io/library/alpine:3@sha256:${hex}`],
  [`localhost:5000/a@sha256:${hex}`, `localhost:5000/a@sha256:${hex}`],
  [`x.io/a:${"t".repeat(128)}`, `x.io/a:${"t".repeat(128)}`],
  ["x.io/a:_under.score-DASH", "x.io/a:_under.score-DASH"],
  [`x.io/${hex}`, `x.io/${hex}`],
  ["a:5000", "index.docker.io/library/a:5000"],
  ["foo.bar", "index.docker.io/library/foo.bar"],
];

test("a good reference is normalised as Docker does it", () => {
  for (const [text, formatted] of good) assert.equal(formatReference(parseReference(text)), formatted, text);
});

const bad: [text: string, message: RegExp][] = [
  ["", /it is empty/],
  ["https://gcr.io/a", /must not start with a scheme/],
  ["a b", /white space/],
  ["Alpine", /must be lower-case; write "alpine"/],
  ["gcr.io/Project/app", /must be lower-case; write "project\/app"/],
  ["alpine:", /"" is no tag/],
  ["alpine:-x", /"-x" is no tag/],
  [`alpine:${"t".repeat(129)}`, /is no tag/],
  ["alpine@sha256:123", /"sha256:123" is no digest/],
  [`alpine@md5:${hex}`, /is no digest/],
  [`alpine@sha256:${hex.toUpperCase()}`, /is no digest/],
  ["alpine@", /"" is no digest/],
  ["-alpine", /"-alpine" is no part/],
  ["alpine-", /is no part/],
  ["a..b/c/..", /no registry host|no part/],
  ["a//b", /"" is no part/],
  ["/a", /no part|host/],
  ["a/", /no part|missing/],
  ["gcr.io/", /the repository is missing/],
  ["gcr.io:70a/x", /"gcr.io:70a" is no registry host/],
  ["-x.io/a", /"-x.io" is no registry host/],
  ["a___b", /is no part/],
  ["a.-b", /is no part/],
  ["user@host/app", /is no digest/],
  [hex, /a bare 64-digit identifier/],
  [`x.io/${"a/".repeat(130)}b`, /longer than 255/],
  ["app:tag:tag", /no part/],
  ["http:/x/y", /no part|host|tag/],
  ["a\nb", /white space/],
  ["é", /no part/],
];

test("a bad reference is refused with the text and the reason", () => {
  for (const [text, message] of bad) {
    assert.throws(
      () => parseReference(text),
      (error) =>
        error instanceof SyntaxError && error.message.startsWith(`Cannot read image reference "${text}": `) && message.test(error.message),
      text,
    );
  }
});

const part = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
const repository = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const registry = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9]{0,8}\.[a-z]{2,5}(?::[1-9][0-9]{0,3})?$/),
  fc.constantFrom("localhost", "127.0.0.1:5000", "[::1]:5000"),
);
const reference = fc.record(
  { registry, repository, tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), digest: fc.constant(`sha256:${hex}` as const) },
  { requiredKeys: ["registry", "repository"] },
);

test("parsing what was formatted gives the same reference", () => {
  fc.assert(
    fc.property(reference, (value) => {
      const given: Reference = { ...value, registry: normalizeRegistry(value.registry) };
      assert.deepEqual(parseReference(formatReference(given)), given);
    }),
  );
});

test("formatting what was parsed parses to the same again", () => {
  for (const [text] of good) {
    const parsed = parseReference(text);
    assert.deepEqual(parseReference(formatReference(parsed)), parsed, text);
  }
});

test("no text makes the parser fail otherwise than with a SyntaxError", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom("a", "A", ".", ":", "/", "@", "-", "_", "5", "[", "]", "sha256:") }),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        const parsed = parseReference(input);
        assert.deepEqual(parseReference(formatReference(parsed)), parsed);
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("the default tag is given to names that have neither tag nor digest", () => {
  const rows: [string, string][] = [
    ["alpine", "index.docker.io/library/alpine:latest"],
    ["alpine:3", "index.docker.io/library/alpine:3"],
    [`alpine@sha256:${hex}`, `index.docker.io/library/alpine@sha256:${hex}`],
  ];
  for (const [text, expected] of rows) assert.equal(formatReference(withDefaultTag(parseReference(text))), expected);
});

test("repositoryName leaves tag and digest out", () => {
  assert.equal(repositoryName(parseReference(`alpine:3@sha256:${hex}`)), "index.docker.io/library/alpine");
});
