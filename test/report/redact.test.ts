// Secrets are hidden whatever their spelling and wherever a text is cut.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createMasks } from "../../src/report/redact.ts";

function redactPieces(secrets: readonly string[], pieces: readonly string[]): string {
  const masks = createMasks();
  for (const secret of secrets) masks.add(secret);
  const stream = masks.openStream();
  return pieces.map((piece) => stream.write(piece)).join("") + stream.end();
}

const rows: readonly { name: string; secrets: string[]; pieces: string[]; shown: string }[] = [
  { name: "a text without secrets stays", secrets: [], pieces: ["a", "b\n", "c"], shown: "ab\nc" },
  { name: "a secret in one piece", secrets: ["hunter2"], pieces: ["pw=hunter2;"], shown: "pw=***;" },
  { name: "a secret over three pieces", secrets: ["hunter2"], pieces: ["pw=hun", "ter", "2;"], shown: "pw=***;" },
  { name: "a secret at the very end", secrets: ["hunter2"], pieces: ["pw=hunter", "2"], shown: "pw=***" },
  { name: "half a secret is shown", secrets: ["hunter2"], pieces: ["pw=hunter", "\n"], shown: "pw=hunter\n" },
  { name: "overlapping secrets become one mask", secrets: ["abcd", "cdef"], pieces: ["xab", "cde", "fy"], shown: "x***y" },
  { name: "a secret within another", secrets: ["abcdef", "cd"], pieces: ["abcdef cd"], shown: "*** ***" },
  { name: "a secret that overlaps itself", secrets: ["aa"], pieces: ["a", "a", "a", "b"], shown: "***b" },
  { name: "each line of a key", secrets: ["-----BEGIN-----\nMIIEow\n}\n"], pieces: ["MIIE", "ow } -----BEGIN-----"], shown: "*** } ***" },
  { name: "all lines of a secret of short lines", secrets: ["ab\ncd"], pieces: ["ab\n", "cd"], shown: "***\n***" },
  { name: "spaces around a secret are not part of it", secrets: [" hunter2\n"], pieces: ["[hunter2]"], shown: "[***]" },
  { name: "blank text is no secret", secrets: ["", " \n "], pieces: ["a b"], shown: "a b" },
  { name: "Base64 of a secret", secrets: ["correct horse"], pieces: ["Y29ycmVjdCBob3JzZQ=="], shown: "***Q==" },
  { name: "its URL spelling", secrets: ["p@ss/word"], pieces: ["https://u:p%40ss%2Fword@h"], shown: "https://u:***@h" },
  { name: "its JSON spelling", secrets: ['pa"ss'], pieces: ['{"p":"pa\\"ss"}'], shown: '{"p":"***"}' },
];

for (const { name, secrets, pieces, shown } of rows) {
  test(`redaction: ${name}`, () => assert.equal(redactPieces(secrets, pieces), shown));
}

test("the password in Base64 of user:password is hidden whatever the length of the user's name", () => {
  const masks = createMasks();
  masks.add("s3cr3t-pass/word?");
  for (const user of ["", "a", "ab", "abc", "abcd"]) {
    const encoded = Buffer.from(`${user}:s3cr3t-pass/word?`).toString("base64");
    const shown = masks.redact(`Authorization: Basic ${encoded}`);
    assert.match(shown, /^Authorization: Basic [A-Za-z0-9+/]{0,8}\*\*\*[A-Za-z0-9+/=]{0,4}$/, encoded);
  }
});

test("whole lines come out at once, and at most a secret's length is held back", () => {
  const masks = createMasks();
  masks.add("abcd");
  const stream = masks.openStream();
  assert.equal(stream.write("first line\nsecond"), "first line\nsec");
  assert.equal(stream.write("-----------------"), "ond-----------------".slice(0, -3));
});

test("a mask added in the middle of a stream holds from then on", () => {
  const masks = createMasks();
  const stream = masks.openStream();
  assert.equal(stream.write("secret "), "secret ");
  masks.add("secret");
  assert.equal(stream.write("secret") + stream.end(), "***");
});

const letters = fc.string({ unit: fc.constantFrom("a", "b", "c", "\n", "é", "😀", " "), maxLength: 6 });
const scripts = fc.record({
  secrets: fc.array(letters, { maxLength: 4 }),
  text: fc.string({ unit: fc.constantFrom("a", "b", "c", "\n", "é", "😀", " "), maxLength: 60 }),
  cuts: fc.array(fc.nat(60), { maxLength: 10 }),
});

test("no secret gets through, and the cuts between the pieces change nothing", () => {
  fc.assert(
    fc.property(scripts, ({ secrets, text, cuts }) => {
      const edges = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
      const pieces = edges.slice(1).map((end, i) => text.slice(edges[i], end));
      const shown = redactPieces(secrets, pieces);
      assert.equal(shown, redactPieces(secrets, [text]));
      for (const secret of secrets) if (secret.trim() !== "") assert.ok(!shown.includes(secret), `${JSON.stringify(secret)} in ${shown}`);
    }),
    { numRuns: 2000 },
  );
});

test("what has no secret in it stays as it is", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const masks = createMasks();
      masks.add("\u0001never\u0001");
      assert.equal(masks.redact(text), text);
    }),
  );
});
