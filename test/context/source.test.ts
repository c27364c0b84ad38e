// Which contexts the forms of --context stand for.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GitSource } from "../../src/context/git-reference.ts";
import { type ContextSource, type GitChoices, parseContextSource } from "../../src/context/source.ts";

const noChoices: GitChoices = { branch: undefined, submodules: undefined, protocol: "https" };
const commit = "a".repeat(40);

function git(remote: string, more: Partial<GitSource> = {}): ContextSource {
  return { kind: "git", source: { remote, submodules: true, keepGitDir: false, mtime: "checkout", fetchByCommit: false, ...more } };
}

const kaniko = (more: Partial<GitSource> = {}) => git("https://github.com/a/b", { submodules: false, ...more });

describe("parseContextSource reads", () => {
  const rows: readonly (readonly [text: string, expected: ContextSource, choices?: Partial<GitChoices>])[] = [
    ["sub", { kind: "directory", path: "/work/sub" }],
    ["dir:///a/b", { kind: "directory", path: "/a/b" }],
    ["tar:///a/b.tar.gz", { kind: "archive", path: "/a/b.tar.gz" }],
    ["tar://b.tgz", { kind: "archive", path: "/work/b.tgz" }],
    ["tar://stdin", { kind: "archive", path: undefined }],
    ["https://host/x.tar.gz", { kind: "web", url: "https://host/x.tar.gz" }],
    ["http://host/Dockerfile", { kind: "web", url: "http://host/Dockerfile" }],
    ["https://a.blob.core.windows.net/b/c?sig=x", { kind: "web", url: "https://a.blob.core.windows.net/b/c?sig=x" }],
    ["https://host/a.git", git("https://host/a.git")],
    ["https://host/a.git#main:sub", git("https://host/a.git", { ref: "main", subdir: "sub" })],
    ["https://host/a.git?tag=v1&submodules=false", git("https://host/a.git", { ref: "refs/tags/v1", submodules: false })],
    ["ssh://git@host/a.git#v1", git("ssh://git@host/a.git", { ref: "v1" })],
    ["git@host:a/b.git#:sub", git("git@host:a/b.git", { subdir: "sub" })],
    ["git://github.com/a/b", kaniko()],
    ["git://github.com/a/b", git("http://github.com/a/b", { submodules: false }), { protocol: "http" }],
    ["git://github.com/a/b#refs/heads/c", kaniko({ ref: "refs/heads/c" })],
    [`git://github.com/a/b#${commit}`, kaniko({ ref: commit })],
    [`git://github.com/a/b#refs/heads/c#${commit}`, kaniko({ ref: commit })],
    [`git://github.com/a/b##${commit}`, kaniko({ ref: commit })],
    ["git://github.com/a/b#refs/heads/c:sub", kaniko({ ref: "refs/heads/c", subdir: "sub" })],
    ["git://github.com/a/b#main", kaniko({ ref: "other" }), { branch: "other" }],
    ["git://github.com/a/b", kaniko({ submodules: true }), { submodules: true }],
    ["git://github.com/a/b?submodules=1", kaniko({ submodules: true })],
    ["https://host/a.git", git("https://host/a.git", { submodules: false }), { submodules: false }],
    ["git://tok:en@github.com/a/b", git("https://tok:en@github.com/a/b", { submodules: false })],
  ];
  for (const [text, expected, choices = {}] of rows)
    test(`${text} ${JSON.stringify(choices)}`, () =>
      assert.deepEqual(parseContextSource(text, "/work", { ...noChoices, ...choices }), expected));
});

describe("parseContextSource refuses", () => {
  const rows: readonly (readonly [text: string, message: string, hint?: string])[] = [
    ["", 'Cannot open context "": it is empty'],
    [
      "s3://bucket/a.tar.gz",
      'Cannot open context "s3://bucket/a.tar.gz": s3:// is not yet supported',
      "pipe the archive in: aws s3 cp s3://bucket/a.tar.gz - | slipway --context tar://stdin",
    ],
    [
      "gs://bucket/a.tar.gz",
      'Cannot open context "gs://bucket/a.tar.gz": gs:// is not yet supported',
      "pipe the archive in: gcloud storage cat gs://bucket/a.tar.gz | slipway --context tar://stdin",
    ],
    [
      "https://a.blob.core.windows.net/b/c.tar.gz",
      'Cannot open context "https://a.blob.core.windows.net/b/c.tar.gz": Azure\'s storage keys are not yet supported',
      "give an address with a shared access signature, or pipe the archive into --context tar://stdin",
    ],
    ["https://tok@host/a.git?bogus=1", 'Cannot open context "https://host/a.git?bogus=…": unexpected query "bogus"'],
    ["git://tok@host/a?bogus=1", 'Cannot open context "git://host/a?bogus=1": unexpected query "bogus"'],
  ];
  for (const [text, message, hint] of rows)
    test(text, () =>
      assert.throws(() => parseContextSource(text, "/work", noChoices), hint === undefined ? { message } : { message, hint }),
    );
});
