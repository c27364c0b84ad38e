// Foreign text cannot command the terminal or the CI system that shows it.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { neutralizeLine } from "../../src/report/neutral.ts";

const rows: readonly [name: string, line: string, plain: string, colored?: string][] = [
  ["plain text", "hello\tworld · é 😀", "hello\tworld · é 😀"],
  ["colours", "\x1b[1;31mred\x1b[0m", "red", "\x1b[1;31mred\x1b[0m\x1b[0m"],
  ["a colour that is never ended", "\x1b[31mred", "red", "\x1b[31mred\x1b[0m"],
  ["cursor movement", "a\x1b[2K\x1b[1Ab\x1b[?25l", "ab"],
  ["a private SGR look-alike", "\x1b[>4;1mx", "x"],
  ["a window title", "\x1b]0;title\x07x\x1b]8;;http://a\x1b\\link", "xlink"],
  ["an unfinished string sequence", "a\x1b]0;title", "a"],
  ["a character-set switch", "\x1b(0x\x1b=", "x"],
  ["a lone escape at the end", "a\x1b", "a\\x1b"],
  ["a bell, a backspace, a null", "a\x07b\x08c\x00", "a\\x07b\\x08c\\x00"],
  ["eight-bit control characters", "a\x9b31mb", "a\\x9b31mb"],
  ["text turned around", "a\u202eb", "a\\u202eb"],
  ["a GitHub command", "::error file=a::b", ": :error file=a::b"],
  ["a GitHub command after blanks", "  ::set-output name=x::y", "  : :set-output name=x::y"],
  ["a C++ name", "std::string", "std::string"],
  ["an old GitHub command anywhere", "x ##[error]y ####[group]", "x ## [error]y #### [group]"],
  ["an Azure command", "##vso[task.setvariable]x", "## vso[task.setvariable]x"],
  ["a command put together by an escape", "#\x1b[K#[error]x", "## [error]x"],
  ["a GitLab section", "\x1b[0Ksection_start:1:a\r\x1b[0KHello", "section_start :1:a\\x0dHello"],
  ["a GitLab section's end", "section_end:1:a\r\x1b[0K", "section_end :1:a\\x0d"],
  ["a GitLab section's name alone", "section_end:1:a", "section_end:1:a"],
  ["Buildkite's headers", "--- x", " --- x"],
  ["an opened Buildkite header", "+++ x", " +++ x"],
  ["a muted Buildkite header", "~~~ x", " ~~~ x"],
  ["a Buildkite header that opens the one before", "^^^ +++", " ^^^ +++"],
  ["a rule", "--------", "--------"],
];

for (const [name, line, plain, colored] of rows) {
  test(`a line without colours: ${name}`, () => assert.equal(neutralizeLine(line, false), plain));
  test(`a line with colours: ${name}`, () => assert.equal(neutralizeLine(line, true), colored ?? plain));
}

const insideRows: readonly [name: string, text: string, shown: string][] = [
  ["an IPv6 address", "::1 localhost", "::1 localhost"],
  ["a GitHub command", "::error::x", "::error::x"],
  ["an old GitHub command", "##[error]x", "## [error]x"],
  ["a rule of dashes", "--- a/file", "--- a/file"],
  ["a GitLab section", "\x1b[0Ksection_start:1:a\r\x1b[0KHello", "section_start :1:a\\x0dHello"],
];

for (const [name, text, shown] of insideRows)
  test(`a text that something stands before: ${name}`, () => assert.equal(neutralizeLine(text, false, "inside"), shown));

test("nothing that a terminal or a CI system obeys is left in any line", () => {
  const hostile = fc.array(
    fc.constantFrom(
      "\x1b",
      "[",
      "2K",
      "m",
      "]",
      "\x07",
      "#",
      "##",
      "::",
      ":",
      "section_start",
      "--- ",
      "+++ ",
      " ",
      "x",
      "\r",
      "\x9b",
      "\x1b[K",
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(hostile, (pieces) => {
      const line = pieces.join("");
      const shown = neutralizeLine(line, false);
      // Without the control characters that end it, GitLab takes it for text.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are what makes a section
      if (/[\r\x1b]/.test(line)) assert.doesNotMatch(shown, /section_(start|end):/);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters must be gone
      assert.doesNotMatch(shown, /[\x00-\x08\x0a-\x1f\x7f-\x9f]|##\w*\[|^\s*::|^(---|\+\+\+|~~~|\^\^\^)(\s|$)/);
    }),
    { numRuns: 2000 },
  );
});
