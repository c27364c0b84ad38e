// WWW-Authenticate headers, row by row.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "../../src/registry/challenge.ts";

const bearer = (parameters: object) => ({ scheme: "bearer", parameters });
const rows: readonly [lines: readonly string[], expected: readonly object[]][] = [
  [['Bearer realm="https://a.test/token",service="a b"'], [bearer({ realm: "https://a.test/token", service: "a b" })]],
  [['bearer realm = "x" , scope="repository:a:pull,push"'], [bearer({ realm: "x", scope: "repository:a:pull,push" })]],
  [["Bearer realm=x,service=y"], [bearer({ realm: "x", service: "y" })]],
  [['Bearer REALM="x"'], [bearer({ realm: "x" })]],
  [['Bearer realm="a \\"quoted\\" word"'], [bearer({ realm: 'a "quoted" word' })]],
  [['Basic realm="r"'], [{ scheme: "basic", parameters: { realm: "r" } }]],
  [["Basic"], [{ scheme: "basic", parameters: {} }]],
  [
    ['Basic realm="r", Bearer realm="x",service="s"'],
    [{ scheme: "basic", parameters: { realm: "r" } }, bearer({ realm: "x", service: "s" })],
  ],
  [
    ['Basic realm="r"', 'Bearer realm="x"'],
    [{ scheme: "basic", parameters: { realm: "r" } }, bearer({ realm: "x" })],
  ],
  [['Negotiate, Bearer realm="x"'], [{ scheme: "negotiate", parameters: {} }, bearer({ realm: "x" })]],
  [['Bearer realm="never closed'], [bearer({ realm: "never closed" })]],
  [["", ",,,", "@@@ ==="], []],
  [['Bearer realm="first",realm="second"'], [bearer({ realm: "first" })]],
];

for (const [lines, expected] of rows) {
  test(`WWW-Authenticate: ${lines.join(" | ")}`, () => assert.deepEqual(parseChallenges(lines), expected));
}

test("a header made to be slow is not", () => {
  const began = Date.now();
  parseChallenges([`Bearer ${"a ".repeat(20_000)}`, `Bearer realm="${"\\".repeat(20_000)}`, ",".repeat(20_000), "=".repeat(20_000)]);
  assert.ok(Date.now() - began < 1000);
});
