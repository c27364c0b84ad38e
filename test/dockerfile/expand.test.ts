// Variables, quotes, escapes and patterns in words.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables look like that

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Escape, expandBody, expandWord, expandWords } from "../../src/dockerfile/dockerfile.ts";
import { LineError } from "../../src/dockerfile/error.ts";
import { replaceMatches, trimPrefix, trimSuffix } from "../../src/dockerfile/pattern.ts";

type Values = Readonly<Record<string, string>>;
const variables = (values: Values, token: Escape = "\\") => ({ get: (name: string) => values[name], escape: token });
const fooBar = { FOO: "xxx", BAR: "" };

// [word, variables, expansion or undefined for an error, names looked up and not set]
const words: readonly [string, Values, string | undefined, ...string[]][] = [
  ["x", {}, "x"],
  ["x ${UNUSED}", { DUMMY: "dummy" }, "x ", "UNUSED"],
  ["x ${FOO}", { FOO: "y" }, "x y"],
  ["${FOO-aaa} ${BAR-bbb} ${BAZ-ccc}", fooBar, "xxx  ccc", "BAZ"],
  ["${FOO:-aaa} ${BAR:-bbb} ${BAZ:-ccc}", fooBar, "xxx bbb ccc", "BAZ"],
  ["${FOO:-}", fooBar, "xxx"],
  ["${FOO:-}", {}, "", "FOO"],
  ["${FOO+aaa} ${BAR+bbb} ${BAZ+ccc}", fooBar, "aaa bbb ", "BAZ"],
  ["${FOO:+aaa} ${BAR:+bbb} ${BAZ:+ccc}", fooBar, "aaa  ", "BAZ"],
  ["${FOO?aaa}", fooBar, "xxx"],
  ["${BAR?bbb}", fooBar, ""],
  ["${BAZ?ccc}", fooBar, undefined, "BAZ"],
  ["${FOO:?aaa}", fooBar, "xxx"],
  ["${BAR:?bbb}", fooBar, undefined],
  ["${BAZ:?}", fooBar, undefined, "BAZ"],
  ["${FOO=aaa}", fooBar, undefined],
  ["${FOO=:aaa}", fooBar, undefined],
  ["${FOO:#a}", fooBar, undefined],
  ["${FOO:%a}", fooBar, undefined],
  ["${FOO#()[]{\\}^$.\\*\\?|\\\\}", { FOO: "()[]{}^$.*?|\\x" }, "x"],
  ["${FOO%%\\**}", { FOO: "xx**" }, "xx"],
  ["${FOO#*x*y}", { FOO: "xxyy" }, "y"],
  ["${FOO##*x*y}", { FOO: "xxyyz" }, "z"],
  ["${FOO#*}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO##*}", { FOO: "xxyy" }, ""],
  ["${FOO#$BAR}", { FOO: "xxyy", BAR: "x" }, "xyy"],
  ["${FOO#$BAR}", { FOO: "xxyy", BAR: "#*x" }, "yy"],
  ["${FOO#$BAR}", { FOO: "xxyy", BAR: "" }, "xxyy"],
  ["${FOO#}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO##*x}", { FOO: "xxyy" }, "yy"],
  ["${FOO##}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO#?\\?}", { FOO: "???y" }, "?y"],
  ["${ABC:-.}${FOO%x}${ABC:-.}", { FOO: "xxyy" }, ".xxyy.", "ABC"],
  ["${FOO%%\\**\\*}", { FOO: "a***yy*" }, "a"],
  ["${FOO%y*}", { FOO: "xxyy" }, "xxy"],
  ["${FOO%%y*}", { FOO: "xxyy" }, "xx"],
  ["${FOO%}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO%%$BAR}", { FOO: "xxyy", BAR: "" }, "xxyy"],
  ["${FOO%%.*}.${FOO##*.}", { FOO: "a.tar.gz" }, "a.gz"],
  ["${FOO#*b}", { FOO: "a\nb" }, "a\nb"],
  ["${FOO#?}", { FOO: "🚢x" }, "x"],
  ["${FOO#\\x}", { FOO: "x" }, undefined],
  ["${FOO/$NEEDLE/.} - ${FOO//$NEEDLE/.}", { FOO: "/foo*/*/*.txt", NEEDLE: "\\*/" }, "/foo.*/*.txt - /foo..*.txt"],
  ["${FOO/$NEEDLE/} - ${FOO//$NEEDLE/}", { FOO: "/tmp/tmp/bar.txt", NEEDLE: "/tmp" }, "/tmp/bar.txt - /bar.txt"],
  ["${FOO/$N/$R} - ${FOO//$N/$R}", { FOO: "/a/foo/b/c.txt", N: "/?/", R: "/" }, "/foo/b/c.txt - /foo/c.txt"],
  ["${FOO/$N/$R}", { FOO: "http://google.de", N: "http://", R: "https://" }, "https://google.de"],
  ["${FOO//\\//\\/}", { FOO: "/tmp/foo.txt" }, "\\/tmp\\/foo.txt"],
  ["${FOO/$BAR/ww}", { FOO: "xxyy", BAR: "" }, "wwxxyy"],
  ["${FOO//$BAR/-}", { FOO: "ab", BAR: "" }, "-a-b-"],
  ["${FOO//ww}", { FOO: "xxyy" }, undefined],
  ["${FOO//}", { FOO: "xxyy" }, undefined],
  ["${FOO///}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO///}", {}, "", "FOO"],
  ["${FOO/x*y/-}", { FOO: "axxyyb" }, "a-b"],
  ["${FOO//?/$R}", { FOO: "ab", R: "<$0>$$$x" }, "<a>$<b>$"],
  ["${FOO/?/$R}", { FOO: "ab", R: "<$0>" }, "<$0>b"],
  ["${A-${B-${C-d}}}", {}, "d", "C", "B", "A"],
  ["pre${A:+-${A}}post", { A: "v7" }, "pre-v7post"],
  ["`$A", { A: "1" }, "`1"],
];

test("expandWord gives what the table says", () => {
  for (const [word, values, expected, ...unset] of words) {
    const missing = new Set<string>();
    const expand = () => expandWord(word, variables(values), missing);
    if (expected === undefined) assert.throws(expand, LineError, word);
    else assert.equal(expand(), expected, word);
    assert.deepEqual([...missing].sort(), [...unset].sort(), word);
  }
});

test("expandWord says in BuildKit's words what is wrong", () => {
  const rows: [string, RegExp][] = [
    ["${V:?message here$ARG}", /^failed to process "\$\{V:\?message here\$ARG\}": V: message herex$/],
    ["${U?}", /U: is not allowed to be unset$/],
    ["${V:?}", /V: is not allowed to be empty$/],
    ["${}", /syntax error: bad substitution$/],
    ["${V", /syntax error: missing '}'$/],
    ["${V-x", /syntax error: missing '}'$/],
    ["${V/x", /syntax error: missing '\/' in \$\{\}$/],
    ["${V/x/y", /syntax error: missing '}'$/],
    ["${V:=x}", /unsupported modifier \(:=\) in substitution$/],
    ["${V#\\a}", /invalid pattern \(\\a\) in substitution: invalid escape '\\a'$/],
    ["'a", /looking for matching single-quote$/],
    ['"a', /looking for matching double-quote$/],
  ];
  for (const [word, message] of rows) assert.throws(() => expandWord(word, variables({ V: "", ARG: "x" })), { message }, word);
});

test("the escape character is the one of the directive", () => {
  const rows: [string, Escape, string][] = [
    ["a`$V", "`", "a$V"],
    ["c:\\$V", "`", "c:\\1"],
    ['"`$V"', "`", "$V"],
    ['"\\$V"', "`", "\\1"],
    ["\\$V", "\\", "$V"],
    ["`t`\\", "`", "t\\"],
  ];
  for (const [word, token, expected] of rows) assert.equal(expandWord(word, variables({ V: "1" }, token)), expected, word);
});

test("expandWords splits values, but not quoted ones", () => {
  const values = { PORTS: "3000 4000/udp", ONE: "1" };
  const rows: [string, string[]][] = [
    ["$PORTS", ["3000", "4000/udp"]],
    ['"$PORTS"', ["3000 4000/udp"]],
    ["80-$ONE", ["80-1"]],
    ["", []],
    ["''", []],
    // As BuildKit does it: a substitution with a word begins anew.
    ["80${NONE:-81}", ["81"]],
  ];
  for (const [word, expected] of rows) assert.deepEqual(expandWords(word, variables(values)), expected, word);
});

test("expandBody leaves quotes alone and escapes with a backslash", () => {
  const missing = new Set<string>();
  const body = '"$V" \'$V\' \\$V \\\\ ${U:-"d"}\nb\\\nc\n';
  assert.equal(expandBody(body, variables({ V: "1" }, "`"), missing), '"1" \'1\' $V \\ "d"\nb\nc\n');
  assert.deepEqual([...missing], ["U"]);
});

const character = fc.constantFrom("a", "b", "\n");
const token = fc.constantFrom("a", "b", "*", "?");

test("patterns match as the regular expression they stand for", () => {
  fc.assert(
    fc.property(fc.array(token, { maxLength: 6 }), fc.array(character, { maxLength: 10 }), (tokens, characters) => {
      const pattern = tokens.join("");
      const value = characters.join("");
      const lazy = pattern.replaceAll("?", ".").replaceAll("*", ".*?");
      const greedy = pattern.replaceAll("?", ".").replaceAll("*", ".*");
      assert.equal(trimPrefix(pattern, value, false), value.replace(new RegExp(`^(?:${lazy})`), ""));
      assert.equal(trimPrefix(pattern, value, true), value.replace(new RegExp(`^(?:${greedy})`), ""));
      const ends = Array.from({ length: value.length + 1 }, (_, at) => at).filter((at) =>
        new RegExp(`^(?:${greedy})$`).test(value.slice(at)),
      );
      assert.equal(trimSuffix(pattern, value, false), value.slice(0, ends.at(-1) ?? value.length));
      assert.equal(trimSuffix(pattern, value, true), value.slice(0, ends[0] ?? value.length));
      assert.equal(replaceMatches(pattern, value, "-", false), value.replace(new RegExp(greedy), "-"));
    }),
  );
});

test("patterns that are exponential as regular expressions are not slow", () => {
  const value = "a".repeat(2000);
  const begun = performance.now();
  assert.equal(expandWord(`\${V##${"*a".repeat(100)}b}`, variables({ V: value })), value);
  assert.equal(expandWord(`\${V/${"*a".repeat(100)}b/x}`, variables({ V: value })), value);
  assert.ok(performance.now() - begun < 5000);
});

test("patterns and words of millions of characters are not slow", () => {
  const [text, words] = ["b?".repeat(1024), "a ".repeat(2048)];
  const begun = performance.now();
  assert.equal(expandWord(`\${%\${B${"/".repeat(1024)}}}`, variables({ B: text })), "");
  assert.equal(expandWords("$A".repeat(2048), variables({ A: words })).length, 2048 ** 2);
  assert.ok(performance.now() - begun < 5000);
});

test("variables that come to more than anybody means are refused", () => {
  const long = "x".repeat(2 ** 20);
  const rows = ["$V".repeat(17), "${V//x/xxxxxxxxxxxxxxxxx}", "${V:-${V}}".repeat(17)];
  for (const word of rows) {
    const message = /: the variables come to more than 16777216 characters$/;
    assert.throws(() => expandWord(word, variables({ V: long })), { name: "LineError", message }, word);
  }
  assert.equal(expandWord("$V".repeat(16), variables({ V: long })).length, 2 ** 24);
});

test("patterns and values of thousands of characters are no trouble", () => {
  const start = process.cpuUsage();
  const rows: readonly (readonly [pattern: string, value: string, text: string])[] = [
    ["a".repeat(2048), "$".repeat(2048), ""],
    ["*".repeat(2048), "a".repeat(2048), "$0".repeat(2048)],
    ["", "a".repeat(2048), "$$".repeat(2048)],
    ["?*".repeat(1024), "a".repeat(2048), ""],
  ];
  for (const row of rows) replaceMatches(...row, true);
  assert.ok(process.cpuUsage(start).user < 3_000_000);
});

test("expandWord never fails otherwise than with a LineError", () => {
  const parts = fc.constantFrom(..."ab$\\`'\"{}:-+?#%/*<@ \n", "${A", "${A:-", "${A//", "${U:?", "é", "🚢", "\ud800");
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 30 }), fc.constantFrom<Escape>("\\", "`"), (pieces, token) => {
      try {
        expandWord(pieces.join(""), variables({ A: "a*b" }, token));
      } catch (error) {
        assert.ok(error instanceof LineError, String(error));
      }
    }),
    { numRuns: 500 },
  );
  assert.throws(() => expandWord("${a-".repeat(20_000), variables({})), LineError);
});
