// How the bundle comes to Node's modules.

import assert from "node:assert/strict";
import { test } from "node:test";
import { takeFrom } from "../../scripts/builtins.ts";

const rows: [name: string, text: string, expected: string][] = [
  ["named", 'import { join } from "node:path";', 'const { join } = process.getBuiltinModule("node:path");'],
  ["renamed", 'import { a as b, c } from "node:fs";', 'const { a: b, c } = process.getBuiltinModule("node:fs");'],
  ["with types among them", 'import { type A, b, type C } from "node:fs";', 'const { b } = process.getBuiltinModule("node:fs");'],
  [
    "over several lines",
    'import {\n  a,\n  b,\n} from "node:fs";\nf();',
    'const { a, b } = process.getBuiltinModule("node:fs");\n\n\n\nf();',
  ],
  ["as a whole", 'import path from "node:path";', 'const path = process.getBuiltinModule("node:path");'],
  ["types alone", 'import type { A } from "node:fs";', 'import type { A } from "node:fs";'],
  ["of a package", 'import { a } from "undici";', 'import { a } from "undici";'],
  ["later on", 'const a = await import("node:tls");', 'const a = await import("node:tls");'],
];

for (const [name, text, expected] of rows) {
  test(`an import ${name}`, () => assert.equal(takeFrom(text), expected));
}
