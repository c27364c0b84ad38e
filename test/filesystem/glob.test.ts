// Globs, row by row as the tests of Go's path.Match have them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeRunes, matchGlob } from "../../src/filesystem/glob.ts";
import { toRaw } from "../../src/layer/entry.ts";
import { goMatchRows, type MatchRow } from "../support/go-match.ts";

const rows: readonly MatchRow[] = [
  ...goMatchRows,
  ["*", "", true],
  ["", "", true],
  ["", "a", false],
  ["[x-]", "z", "error"],
  ["[-x]", "-", "error"],
  ["[-x]", "a", "error"],
  ["a[", "x", "error"],
  ["a/b[", "x", "error"],
  ["[[]", "[", true],
  ["a]", "a]", true],
  ["*", ".hidden", true],
  ["?", "é", true],
  ["a**b", "axyb", true],
  ["{a,b}", "a", false],
  // A class may match a slash, but Go does not look for a later place where it does.
  ["*[^a]", "^/", true],
  ["*[^a]*", "^/", false],
  ["a[^a]*", "a/", true],
];

test("a glob matches, or is malformed, as Go's path.Match rows have it", () => {
  for (const [pattern, name, expected] of rows) {
    const match = () => matchGlob(toRaw(pattern), toRaw(name));
    if (expected === "error") assert.throws(match, { name: "SyntaxError", message: /^Cannot read pattern "/ }, pattern);
    else assert.equal(match(), expected, `${pattern} on ${name}`);
  }
});

test("bytes that are no UTF-8 equal themselves and count as one character", () => {
  assert.ok(matchGlob("a\xe9*", "a\xe9b"));
  assert.ok(!matchGlob("a\xe9*", "a\xe8b"));
  assert.ok(matchGlob("??", "\xff\xc3"));
  assert.ok(!matchGlob("?", "\xff\xc3"));
  assert.throws(() => matchGlob("[\xe9]", "\xe9"), SyntaxError);
});

test("many stars take no more than quadratic time", () => {
  const start = performance.now();
  assert.ok(!matchGlob(`${"a*".repeat(100)}b`, "a".repeat(5000)));
  assert.ok(performance.now() - start < 1000);
});

test("decodeRunes gives the code points of whatever is UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const expected = [...text.toWellFormed()].map((character) => character.codePointAt(0));
      assert.deepEqual(decodeRunes(toRaw(text.toWellFormed())), expected);
    }),
  );
});

test("decodeRunes loses no byte", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const raw = Buffer.from(bytes).toString("latin1");
      const back = decodeRunes(raw).map((rune) =>
        rune > 0x10ffff ? Buffer.from([rune - 0x110000]) : Buffer.from(String.fromCodePoint(rune)),
      );
      assert.equal(Buffer.concat(back).toString("latin1"), raw);
    }),
  );
});

test("a name matches itself when its special characters are escaped", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), (name) => {
      assert.ok(matchGlob(toRaw(name.replace(/[*?[\\]/g, "\\$&")), toRaw(name)));
    }),
  );
});
