// The meaning of ignore files, row by row as moby/patternmatcher's and Go's own tests have it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type IgnorePatterns, type IgnoreResult, parseIgnore, readPatterns } from "../../src/context/ignore.ts";
import { toRaw } from "../../src/layer/entry.ts";
import { goMatchRows, type MatchRow } from "../support/go-match.ts";

function isIgnored(patterns: IgnorePatterns, path: string): boolean {
  let result: IgnoreResult | undefined;
  const parts = toRaw(path).split("/");
  for (let i = 1; i <= parts.length; i++) result = patterns.match(parts.slice(0, i).join("/"), result);
  return result?.isIgnored === true;
}

/** The last result alone, without what its parents matched: moby's `match` of one pattern. */
function matches(pattern: string, path: string): boolean {
  return parseIgnore(pattern, ".dockerignore").match(toRaw(path), undefined).isIgnored;
}

const single: [pattern: string, path: string, expected: boolean][] = [
  ["**", "file", true],
  ["**", "file/", true],
  ["**/", "file", true],
  ["**/", "file/", true],
  ["**", "dir/file", true],
  ["**", "/", true],
  ["**/", "dir/file", true],
  ["**", "dir/file/", true],
  ["**/**", "dir/file", true],
  ["**/**", "dir/file/", true],
  ["dir/**", "dir/file", true],
  ["dir/**", "dir/file/", true],
  ["dir/**", "dir/dir2/file", true],
  ["dir/**", "dir/dir2/file/", true],
  ["dir/**", "dir", false],
  ["dir/**", "dirx/file", false],
  ["**/dir", "dir", true],
  ["**/dir", "dir/file", false],
  ["**/dir2/*", "dir/dir2/file", true],
  ["**/dir2/*", "dir/dir2/file/", false],
  ["**/dir2/**", "dir/dir2/dir3/file", true],
  ["**/dir2/**", "dir/dir2/dir3/file/", true],
  ["**file", "file", true],
  ["**file", "dir/file", true],
  ["**/file", "dir/file", true],
  ["**file", "dir/dir/file", true],
  ["**/file", "dir/dir/file", true],
  ["**/file*", "dir/dir/file", true],
  ["**/file*", "dir/dir/file.txt", true],
  ["**/file*txt", "dir/dir/file.txt", true],
  ["**/file*.txt", "dir/dir/file.txt", true],
  ["**/file*.txt*", "dir/dir/file.txt", true],
  ["**/**/*.txt", "dir/dir/file.txt", true],
  ["**/**/*.txt2", "dir/dir/file.txt", false],
  ["**/*.txt", "file.txt", true],
  ["**/**/*.txt", "file.txt", true],
  ["a**/*.txt", "a/file.txt", true],
  ["a**/*.txt", "a/dir/file.txt", true],
  ["a**/*.txt", "a/dir/dir/file.txt", true],
  ["a/*.txt", "a/dir/file.txt", false],
  ["a/*.txt", "a/file.txt", true],
  ["a/*.txt**", "a/file.txt", true],
  ["a[b-d]e", "ae", false],
  ["a[b-d]e", "ace", true],
  ["a[b-d]e", "aae", false],
  ["a[^b-d]e", "aze", true],
  [".*", ".foo", true],
  [".*", "foo", false],
  ["abc.def", "abcdef", false],
  ["abc.def", "abc.def", true],
  ["abc.def", "abcZdef", false],
  ["abc?def", "abcZdef", true],
  ["abc?def", "abcdef", false],
  ["a\\\\", "a\\", true],
  ["**/foo/bar", "foo/bar", true],
  ["**/foo/bar", "dir/foo/bar", true],
  ["**/foo/bar", "dir/dir2/foo/bar", true],
  ["abc/**", "abc", false],
  ["abc/**", "abc/def", true],
  ["abc/**", "abc/def/ghi", true],
  ["**/.foo", ".foo", true],
  ["**/.foo", "bar.foo", false],
  ["a(b)c/def", "a(b)c/def", true],
  ["a(b)c/def", "a(b)c/xyz", false],
  ["a.|)$(}+{bc", "a.|)$(}+{bc", true],
  ["dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true],
  ["dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true],
  // Corners of moby's choice between comparisons and expressions.
  ["**foo", "a/xfoo", true],
  ["**foo*", "a/xfoo", false],
  ["**foo*", "a/foox", true],
  ["foo**", "foobar/baz", true],
  ["[*]", "*", false],
  ["[*]", "[/]", true],
  ["a^b", "a^b", true],
  ["a^b*", "a^bc", false],
  ["\\d*", "7", true],
  ["\\d*", "d", false],
  ["x\\b*", "x", true],
  ["[[:alpha:]]x?", "bxy", true],
  ["[[:alpha:]]x?", "1xy", false],
  ["[\\d_]?", "4a", true],
  ["a[^b]c", "a/c", true],
  ["***", "dir/x", true],
  ["a**/*b", "a\nc/xb", false],
  ["a*b", "a\nb", true],
];

test("a pattern matches as moby/patternmatcher has it", () => {
  for (const [pattern, path, expected] of single)
    assert.equal(matches(pattern, path), expected, `${JSON.stringify(pattern)} on ${JSON.stringify(path)}`);
});

const goRows: readonly MatchRow[] = [...goMatchRows, ["[z-a]", "b", "error"], ["\\q*", "q", "error"]];

test("a pattern matches, or is malformed, as Go's filepath.Match rows have it", () => {
  for (const [pattern, path, expected] of goRows) {
    if (expected === "error") assert.throws(() => matches(pattern, path), SyntaxError, pattern);
    else assert.equal(matches(pattern, path), expected, `${pattern} on ${path}`);
  }
});

const files: [lines: string, path: string, expected: boolean][] = [
  ["*\n!a", "a", false],
  ["*\n!a", "b", true],
  ["*\n!a", "a/b/c", false],
  ["a\n!a/b", "a/b", false],
  ["a\n!a/b", "a/c", true],
  ["!a/b\na", "a/b", true],
  ["**/node_modules", "x/y/node_modules/z", true],
  ["node_modules", "x/node_modules", false],
  ["docs/*\n!docs/README.md", "docs/README.md", false],
  ["docs/*\n!docs/README.md", "docs/other.md", true],
  ["docs\n!docs/README.md", "docs/README.md", false],
  ["*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true],
  ["*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false],
  ["util/docker/web\n!util/docker/web/foo", "util/docker/web/foo", false],
  ["util/docker/web\n!util/docker/web/foo\nutil/docker/web/foo", "util/docker/web/foo", true],
  ["a/b\n!a/b/c\na/b/c/d", "a/b/c/x", false],
  ["a/b\n!a/b/c\na/b/c/d", "a/b/c/d/e", true],
  ["  a  ", "a", true],
  ["/a", "a", true],
  ["./a", "a", true],
  ["a/", "a", true],
  ["a/../b", "b", true],
  ["//a//b/", "a/b", true],
  ["# a\n #b", "#b", true],
  ["# a", "# a", false],
  ["\ufeffa", "a", true],
  ["b\n\ufeffa", "a", false],
  ["a\r\nb\r\n", "a", true],
  ["a\r\nb\r\n", "b", true],
  ["*\n!  a", "a", false],
  ["*\n!/a", "a", false],
  [".", "a", false],
  ["/", "a", false],
  ["..", "a", false],
  ["", "a", false],
  ["\u00a0a\u2003", "a", true],
  ["*\n!!a", "a", true],
  ["*\n!!a", "!a", false],
  ["caf\u00e9*", "caf\u00e9.txt", true],
  ["cafe\u0301", "caf\u00e9", false],
];

test("the last pattern that matches a path or a parent decides", () => {
  for (const [lines, path, expected] of files)
    assert.equal(isIgnored(parseIgnore(lines, ".dockerignore"), path), expected, `${JSON.stringify(lines)} on ${path}`);
});

const wrong: [lines: string, message: RegExp][] = [
  ["a\n!", /^Cannot read x\/\.dockerignore:2:1: illegal exclusion pattern: "!"$/],
  ["a\n \t [a", /:2:4: Cannot read pattern "\[a"/],
  ["!  ", /:1:1: illegal exclusion pattern: "!"/],
  ["!/", /:1:1: illegal exclusion pattern: "!"/],
  ["# one\n\n[a", /:3:1: Cannot read pattern "\[a": "\[" has no "\]"/],
  ["a\\", /:1:1: Cannot read pattern "a\\": a backslash ends it/],
  ["[b-a]", /:1:1: a range in a class runs backwards/],
  ["\\Qa*", /:1:1: "\\Q" is no escape/],
];

test("patterns given one by one have no comments, and keep their slashes", () => {
  const rows: [patterns: string[], path: string, expected: boolean][] = [
    [["#a"], "#a", true],
    [["  a/../b  ", ""], "b", true],
    [["/a"], "a", false],
    [["*", "!b"], "b", false],
  ];
  for (const [patterns, path, expected] of rows)
    assert.equal(readPatterns(patterns).match(path, undefined).isIgnored, expected, patterns.join(" "));
  assert.throws(() => readPatterns(["!"]), /illegal exclusion pattern/);
});

test("a malformed pattern is refused with file and line", () => {
  for (const [lines, message] of wrong) assert.throws(() => parseIgnore(lines, "x/.dockerignore"), { name: "SyntaxError", message }, lines);
});

test("names that are no UTF-8 match by their bytes", () => {
  const latin1 = Buffer.from("b\xe9.txt\nc*\xe9\nd?", "latin1");
  const patterns = parseIgnore(latin1, ".dockerignore");
  const rows: [string, boolean][] = [
    ["b\xe9.txt", true],
    ["b\xe8.txt", false],
    ["c-\xe9", true],
    ["c-\xe8", false],
    ["d\xff", true],
    ["d\xff\xff", false],
    ["d\xc3\xa9", true],
  ];
  for (const [name, expected] of rows) assert.equal(patterns.match(name, undefined).isIgnored, expected, JSON.stringify(name));
});

test("matching takes time linear in the path, whatever the pattern", () => {
  const start = performance.now();
  for (const pattern of [`${"a*".repeat(60)}b`, `${"**/a".repeat(40)}*b`, `${"[a-z]*".repeat(60)}?!`])
    assert.equal(matches(pattern, `${"a".repeat(2000)}c`), false);
  for (const pattern of [`${"a*".repeat(60)}c`, `${"*a".repeat(60)}*`]) assert.equal(matches(pattern, `${"a".repeat(2000)}c`), true);
  assert.ok(parseIgnore(`${" ".repeat(1_000_000)}x`, ".dockerignore").match("x", undefined).isIgnored);
  assert.ok(performance.now() - start < 3000, `took ${performance.now() - start} ms`);
});

test("a directory may be skipped only if nothing below it can come back, or be named", () => {
  const name = fc.constantFrom("a", "b", "ab", "c.md");
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const segment = fc.constantFrom("a", "b", "*", "?", "**", "a*", "[ab]", "*.md", "**b", "\\a", "a**");
  const pattern = fc
    .tuple(fc.constantFrom("", "!"), fc.array(segment, { minLength: 1, maxLength: 4 }))
    .map(([sign, parts]) => sign + parts.join("/"));
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), path, (lines, whole) => {
      let patterns: IgnorePatterns;
      try {
        patterns = parseIgnore(lines.join("\n"), ".dockerignore");
      } catch {
        return;
      }
      const parts = whole.split("/");
      for (let i = 1; i < parts.length; i++) {
        const directory = parts.slice(0, i).join("/");
        const isHidden = isIgnored(patterns, directory);
        if (isHidden && !patterns.mayReincludeBelow(directory)) assert.ok(isIgnored(patterns, whole));
        if (!isHidden && !patterns.mayIgnoreBelow(directory)) assert.ok(!isIgnored(patterns, whole));
      }
    }),
    { numRuns: 3000 },
  );
});
