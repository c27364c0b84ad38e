// Bytes in any cut become whole lines.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createMasks } from "../../src/report/redact.ts";
import { openOutputLines } from "../../src/report/step-output.ts";

function linesOf(pieces: readonly Uint8Array[], secrets: readonly string[] = []): string[] {
  const masks = createMasks();
  for (const secret of secrets) masks.add(secret);
  const output = openOutputLines(masks);
  return [...pieces.flatMap((piece) => output.write(piece)), ...output.end()];
}

const rows: readonly { name: string; pieces: (string | Uint8Array)[]; secrets?: string[]; lines: string[] }[] = [
  { name: "one line in two pieces", pieces: ["he", "llo\n"], lines: ["hello"] },
  { name: "two lines in one piece", pieces: ["a\nb\n"], lines: ["a", "b"] },
  { name: "empty lines stay", pieces: ["\n\na\n"], lines: ["", "", "a"] },
  { name: "a last line without newline", pieces: ["a\nb"], lines: ["a", "b"] },
  { name: "a character in two pieces", pieces: [Uint8Array.of(0xf0, 0x9f), Uint8Array.of(0x98, 0x80, 0x0a)], lines: ["😀"] },
  { name: "bytes that are no UTF-8", pieces: [Uint8Array.of(0x61, 0xff, 0x62, 0x0a)], lines: ["a\ufffdb"] },
  { name: "an unfinished character at the end", pieces: [Uint8Array.of(0x61, 0xf0, 0x9f)], lines: ["a\ufffd"] },
  { name: "Windows line ends", pieces: ["a\r\nb\r", "\n"], lines: ["a", "b"] },
  { name: "a progress line is its last state", pieces: ["10%\r50%\r", "100%\r\n"], lines: ["100%"] },
  { name: "a progress line without end", pieces: ["10%\r", "50%\r"], lines: ["50%"] },
  { name: "a secret in two pieces", pieces: ["pw=hun", "ter2\n"], secrets: ["hunter2"], lines: ["pw=***"] },
  { name: "a long line is cut", pieces: ["x".repeat(40_000)], lines: ["x".repeat(16_384), "x".repeat(16_384), "x".repeat(7_232)] },
  {
    name: "a secret where a long line is cut",
    pieces: [`${"x".repeat(16_380)}hunter2`],
    secrets: ["hunter2"],
    lines: [`${"x".repeat(16_380)}***`],
  },
  { name: "a long progress line is not kept", pieces: Array.from({ length: 3000 }, (_, i) => `\r${i} of 3000 `), lines: ["2999 of 3000 "] },
];

for (const { name, pieces, secrets, lines } of rows) {
  test(`output lines: ${name}`, () => {
    const bytes = pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece));
    assert.deepEqual(linesOf(bytes, secrets), lines);
  });
}

test("the cuts between the pieces change nothing", () => {
  const texts = fc.string({ unit: fc.constantFrom("a", "é", "😀", "\n", "\r", "key", "\u0000"), maxLength: 40 });
  fc.assert(
    fc.property(texts, fc.array(fc.nat(80)), (text, cuts) => {
      const bytes = Buffer.from(text);
      const edges = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const pieces = edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
      assert.deepEqual(linesOf(pieces, ["key"]), linesOf([bytes], ["key"]));
    }),
  );
});
