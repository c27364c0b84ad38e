// Addresses of git repositories as BuildKit's dfgitutil reads them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type GitSource, isGitSource, parseGitSource } from "../../src/context/git-reference.ts";

const usual = { submodules: true, keepGitDir: false, mtime: "checkout", fetchByCommit: false } as const;

test("an address carries ref, subdirectory and more", () => {
  const rows: readonly (readonly [text: string, source: Partial<GitSource>])[] = [
    ["https://github.com/foo/bar.git", {}],
    ["https://github.com/foo/bar.git#", {}],
    ["https://github.com/foo/bar.git#baz/qux:quux/quuz", { ref: "baz/qux", subdir: "quux/quuz" }],
    ["http://u:p@host:8080/bar.git#:dir", { remote: "http://u:p@host:8080/bar.git", subdir: "dir" }],
    ["git://host/any", { remote: "git://host/any" }],
    ["ssh://git@host/bar", { remote: "ssh://git@host/bar" }],
    ["git@github.com:foo/bar.git#v1", { remote: "git@github.com:foo/bar.git", ref: "v1" }],
    ["git@github.com:foo/bar?tag=v1", { remote: "git@github.com:foo/bar", ref: "refs/tags/v1" }],
    ["https://h/b.git?ref=v1&subdir=d&submodules=false&keep-git-dir", { ref: "v1", subdir: "d", submodules: false, keepGitDir: true }],
    ["https://h/b.git?branch=v1", { ref: "refs/heads/v1" }],
    ["https://h/b.git?tag=refs/tags/v1#refs/tags/v1", { ref: "refs/tags/v1" }],
    ["https://h/b.git?ref=a%2Fb#a/b", { ref: "a/b" }],
    ["https://h/b.git?commit=DEADBEEF", { ref: "DEADBEEF", checksum: "deadbeef" }],
    [
      "https://h/b.git?ref=v1&checksum=deadbeef&fetch-by-commit=1&mtime=commit",
      { ref: "v1", checksum: "deadbeef", fetchByCommit: true, mtime: "commit" },
    ],
  ];
  for (const [text, source] of rows) {
    assert.ok(isGitSource(text), text);
    const remote = "remote" in source ? {} : { remote: text.replace(/[?#].*/, "") };
    assert.deepEqual(parseGitSource(text), { ...usual, ...remote, ...source }, text);
  }
});

test("paths and files on the web are no repositories", () => {
  for (const text of [
    "a",
    "./git@host:x",
    "https://host/a",
    "https://host/a.git.tar",
    "https://host/x?y=.git",
    "ftp://host/a.git",
    "a:b",
    "github.com/foo/bar",
  ])
    assert.ok(!isGitSource(text), text);
});

test("what an address may not say", () => {
  const rows: readonly (readonly [query: string, reason: RegExp])[] = [
    ["?ref=a#b", /ref conflicts: "b" vs "a"/],
    ["?ref=v1&tag=v1", /ref conflicts: "v1" vs "refs\/tags\/v1"/],
    ["?tag=v1&branch=v1", /branch conflicts with tag/],
    ["?subdir=a#x:b", /subdir conflicts: "b" vs "a"/],
    ["?bogus=1", /unexpected query "bogus"/],
    ["?ref=", /query "ref" has no value/],
    ["?ref=a&ref=a", /query "ref" has multiple values/],
    ["?submodules=perhaps", /invalid submodules value: "perhaps"/],
    ["?mtime=now", /invalid mtime value: "now"/],
    ["?checksum=xyz", /invalid checksum xyz for Git source, expected hex commit hash/],
    ["#%zz", /invalid URL escape/],
  ];
  for (const [query, reason] of rows) assert.throws(() => parseGitSource(`https://h/b.git${query}`), reason, query);
});
