// Each tricky behaviour of the Dockerfile reference has a number, and at least one test here whose name begins with it.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

test("each of the 64 has a test of its name", () => {
  const texts = readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(`${folder}${name}`, "utf8"));
  const named = new Set(texts.flatMap((text) => [...text.matchAll(/["'`]7\.(\d+) \S/g)].map(([, number]) => Number(number))));
  const all = Array.from({ length: 64 }, (_, i) => i + 1);
  assert.deepEqual(
    all.filter((number) => !named.has(number)),
    [],
  );
  assert.deepEqual(
    [...named].filter((number) => !all.includes(number)),
    [],
  );
});
