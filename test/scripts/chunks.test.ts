// Chunks: names that stay, in code that still runs.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { build } from "esbuild";
import { nameChunks } from "../../scripts/chunks.ts";

async function bundle(t: TestContext, files: Record<string, string>): Promise<Map<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-chunks-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: [{ in: "main.ts", out: "slipway" }],
    outdir: "dist",
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunk-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    metafile: true,
    write: false,
  });
  return nameChunks(new Map(outputFiles.map((file) => [basename(file.path), file.text])), metafile);
}

const files = {
  "main.ts": 'import { a } from "./a.ts";\nconsole.log(a, await import("./lazy.ts"), await import("./later.ts"));',
  "lazy.ts": 'import { a } from "./a.ts";\nimport { b } from "./b.ts";\nexport const lazy = a + b;',
  "later.ts": 'import { b } from "./b.ts";\nexport const later = b;',
  "a.ts": "export const a = 1;",
  "b.ts": "export const b = 2;",
};

test("chunks are named for the file that is imported lazily, shared ones by number", async (t) => {
  const chunks = await bundle(t, files);
  assert.deepEqual([...chunks.keys()], ["later.mjs", "lazy.mjs", "shared-1.mjs", "shared-2.mjs", "slipway.mjs"]);
  for (const text of chunks.values()) assert.doesNotMatch(text, /chunk-/);
  assert.match(chunks.get("slipway.mjs") ?? "", /import\("\.\/lazy\.mjs"\)/);
});

test("an edit inside a chunk changes no name", async (t) => {
  const before = await bundle(t, files);
  const after = await bundle(t, { ...files, "b.ts": "export const b = 3;" });
  assert.deepEqual([...before.keys()], [...after.keys()]);
  assert.equal(before.get("slipway.mjs"), after.get("slipway.mjs"));
});

test("chunks that are renamed still run", async (t) => {
  const main = 'import { a } from "./a.ts";\nexport const sum = a + (await import("./lazy.ts")).lazy + (await import("./later.ts")).later;';
  const chunks = await bundle(t, { ...files, "main.ts": main });
  const folder = mkdtempSync(join(tmpdir(), "slipway-chunks-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of chunks) writeFileSync(join(folder, name), text);
  const { sum } = await import(join(folder, "slipway.mjs"));
  assert.equal(sum, 1 + 3 + 2);
});
