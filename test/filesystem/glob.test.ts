// Globs, row by row as the tests of Go's path.Match have them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeRunes, matchGlob } from "../../src/filesystem/glob.ts";
import { toRaw } from "../../src/layer/entry.ts";

const rows: [pattern: string, name: string, expected: boolean | "error"][] = [
  ["abc", "abc", true],
  ["*", "abc", true],
  ["*", "", true],
  ["", "", true],
  ["", "a", false],
  ["*c", "abc", true],
  ["a*", "a", true],
  ["a*", "abc", true],
  ["a*", "ab/c", false],
  ["a*/b", "abc/b", true],
  ["a*/b", "a/c/b", false],
  ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
  ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
  ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
  ["a*b*c*d*e*/f", "axbxcxdxexxx/fff", false],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["a*b?c*x", "abxbbxdbxebxczzy", false],
  ["ab[c]", "abc", true],
  ["ab[b-d]", "abc", true],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^b-d]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a???b", "a☺b", false],
  ["a[^a][^a][^a]b", "a☺b", false],
  ["[a-ζ]*", "α", true],
  ["*[a-ζ]", "A", false],
  ["a?b", "a/b", false],
  ["a*b", "a/b", false],
  ["[\\]a]", "]", true],
  ["[\\-]", "-", true],
  ["[x\\-]", "x", true],
  ["[x\\-]", "-", true],
  ["[x\\-]", "z", false],
  ["[\\-x]", "x", true],
  ["[\\-x]", "-", true],
  ["[\\-x]", "a", false],
  ["[]a]", "]", "error"],
  ["[-]", "-", "error"],
  ["[x-]", "x", "error"],
  ["[x-]", "-", "error"],
  ["[x-]", "z", "error"],
  ["[-x]", "x", "error"],
  ["[-x]", "-", "error"],
  ["[-x]", "a", "error"],
  ["\\", "a", "error"],
  ["[a-b-c]", "a", "error"],
  ["[", "a", "error"],
  ["[^", "a", "error"],
  ["[^bc", "a", "error"],
  ["a[", "a", "error"],
  ["a[", "ab", "error"],
  ["a[", "x", "error"],
  ["a/b[", "x", "error"],
  ["*x", "xxx", true],
  ["[[]", "[", true],
  ["a]", "a]", true],
  ["*", ".hidden", true],
  ["?", "é", true],
  ["a**b", "axyb", true],
  ["{a,b}", "a", false],
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
