// Holds the shape of src/: rows import downwards only, folders knock at front doors, and every package has its home.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkArchitecture } from "./support/architecture.ts";

const root = fileURLToPath(new URL("../src/", import.meta.url));

function readSources(): Map<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(names.sort().map((name) => [name, readFileSync(root + name, "utf8")]));
}

test("src/ keeps the architecture", () => {
  const sources = readSources();
  assert.ok(sources.size > 5, `only ${sources.size} files found in ${root}`);
  const violations = checkArchitecture(sources);
  assert.deepEqual(violations, [], `\n${violations.join("\n")}\n`);
});

test("every file of tests and scripts says first what it is about", () => {
  const silent = ["test", "scripts"].flatMap((folder) => {
    const place = fileURLToPath(new URL(`../${folder}/`, import.meta.url));
    const names = readdirSync(place, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    return names.filter((name) => !readFileSync(place + name, "utf8").startsWith("// ")).map((name) => `${folder}/${name}`);
  });
  assert.deepEqual(silent, []);
});

const line = "// Knows one thing.\n";
const fine = {
  "main.ts": `${line}import { run } from "./host/host.ts";\n`,
  "host/host.ts": `${line}import { parse } from "yaml";\nimport type { Request } from "../build/build.ts";\nconst env = process.env;\n`,
  "build/build.ts": `${line}import { readLayer } from "../layer/layer.ts";\nimport { plan } from "./plan.ts";\n`,
  "build/plan.ts": `${line}import type { Entry } from "../layer/entry.ts";\nimport { digest } from "../image/digest.ts";\n`,
  "layer/layer.ts": `${line}import { gzip } from "node:zlib";\nexport type { Entry } from "./entry.ts";\n`,
  "layer/entry.ts": "// Knows a thing whose sentence\n// takes two lines.\n",
  "image/digest.ts": "// Knows what is said elsewhere: https://example.com/spec\n",
};

const rows: [name: string, files: Record<string, string>, expected: string | RegExp][] = [
  [
    "an import upwards",
    { "layer/layer.ts": `${line}import { build } from "../build/build.ts";\n` },
    "layer/layer.ts imports build/build.ts: rows import downwards only, and build/ is above layer/",
  ],
  [
    "an import upwards of a type alone",
    { "layer/layer.ts": `${line}import type { Request } from "../build/build.ts";\n` },
    /layer\/layer\.ts imports build\/build\.ts: rows import downwards only/,
  ],
  [
    "an import upwards inside a type",
    { "layer/entry.ts": `${line}export type A = import("../build/build.ts").Plan;\n` },
    /layer\/entry\.ts imports build\/build\.ts: rows import downwards only/,
  ],
  [
    "an import sideways",
    { "context/context.ts": `${line}import { x } from "../output/output.ts";\n`, "output/output.ts": line },
    "context/context.ts imports output/output.ts: output/ is in the same row as context/, and rows never import sideways",
  ],
  [
    "a lazy import sideways",
    { "http/http.ts": `${line}const x = await import("../report/report.ts");\n`, "report/report.ts": line },
    /http\/http\.ts imports report\/report\.ts: report\/ is in the same row/,
  ],
  [
    "a lazy import over several lines",
    { "http/http.ts": `${line}const x = await import(\n  "../report/report.ts"\n);\n`, "report/report.ts": line },
    /http\/http\.ts imports report\/report\.ts/,
  ],
  [
    "a re-export upwards",
    { "image/digest.ts": `${line}export { build } from "../build/build.ts";\n` },
    /image\/digest\.ts imports build\/build\.ts: rows import downwards only/,
  ],
  [
    "an import for its side effect",
    { "image/digest.ts": `${line}import "../build/build.ts";\n` },
    /image\/digest\.ts imports build\/build\.ts: rows import downwards only/,
  ],
  [
    "a room behind a front door",
    { "build/build.ts": `${line}import { readTar } from "../layer/tar.ts";\n`, "layer/tar.ts": line },
    "build/build.ts imports layer/tar.ts: knock at the front door, layer/layer.ts",
  ],
  [
    "main.ts behind a front door",
    { "main.ts": `${line}import { flags } from "./host/flags.ts";\n`, "host/flags.ts": line },
    /main\.ts imports host\/flags\.ts: knock at the front door, host\/host\.ts/,
  ],
  [
    "main.ts as something to import",
    { "host/host.ts": `${line}import { main } from "../main.ts";\n` },
    "host/host.ts imports main.ts: nothing imports main.ts",
  ],
  [
    "a package away from home",
    { "build/build.ts": `${line}import { request } from "undici";\n` },
    'build/build.ts imports the package "undici": its home is http/',
  ],
  [
    "a package's inner file away from home",
    { "layer/layer.ts": `${line}import extract from "tar-stream/extract.js";\n` },
    'layer/layer.ts imports the package "tar-stream": its homes are context/, output/',
  ],
  [
    "a lazy import of a package away from home",
    { "build/build.ts": `${line}const cache = await import("@actions/cache");\n` },
    'build/build.ts imports the package "@actions/cache": its home is cache/',
  ],
  [
    "a package without a home",
    { "build/build.ts": `${line}import _ from "lodash";\n` },
    'build/build.ts imports the package "lodash": it has no home yet, give it one in test/support/architecture.ts',
  ],
  ["an import out of src/", { "build/build.ts": `${line}import { x } from "../../scripts/build.ts";\n` }, /leaves src\//],
  [
    "an import of a file that is not there",
    { "build/build.ts": `${line}import { x } from "./gone.ts";\n` },
    /build\/gone\.ts, which is not there/,
  ],
  [
    "the environment below host/",
    { "build/build.ts": `${line}const home = process.env.HOME;\n` },
    "build/build.ts:2 reads process.env: only host/ reads the environment and the working directory",
  ],
  [
    "the environment by an import",
    { "build/build.ts": `${line}import { env } from "node:process";\n` },
    /build\/build\.ts:2 reads process\.env/,
  ],
  [
    "the working directory below host/",
    { "image/digest.ts": `${line}\nconst here = process.cwd();\n` },
    /image\/digest\.ts:3 reads process\.cwd/,
  ],
  [
    "a cycle of files",
    { "layer/entry.ts": `${line}import { a } from "./layer.ts";\n`, "layer/layer.ts": `${line}import { b } from "./entry.ts";\n` },
    "layer/layer.ts → layer/entry.ts → layer/layer.ts: an import cycle",
  ],
  [
    "a file without a first sentence",
    { "image/digest.ts": "export const a = 1;\n" },
    /image\/digest\.ts: its first line must be a "\/\/" sentence/,
  ],
  [
    "a first line that is no sentence",
    { "image/digest.ts": "// digests\n" },
    /image\/digest\.ts: its first line must be a "\/\/" sentence/,
  ],
  ["a drawer for odds and ends", { "image/util.ts": line }, /image\/util\.ts: "util" says nothing about what it knows/],
  ["a folder without a row", { "tools/tools.ts": line }, "tools/tools.ts: tools/ has no row in test/support/architecture.ts"],
  ["a folder in a folder", { "image/deep/digest.ts": line }, /image\/deep\/digest\.ts: folders below src\/ hold files only/],
  ["a loose file beside main.ts", { "other.ts": line }, "other.ts: only main.ts lies directly in src/"],
  ["a folder without its front door", { "sandbox/ns.ts": line }, "sandbox/: its front door sandbox/sandbox.ts is missing"],
];

test("the checker accepts what the architecture allows", () => {
  assert.deepEqual(checkArchitecture(new Map(Object.entries(fine))), []);
});

for (const [name, files, expected] of rows) {
  test(`the checker finds ${name}`, () => {
    const violations = checkArchitecture(new Map(Object.entries({ ...fine, ...files })));
    assert.equal(violations.length, 1, violations.join("\n"));
    if (typeof expected === "string") assert.equal(violations[0], expected);
    else assert.match(violations[0] ?? "", expected);
  });
}

test("words in comments and texts are no imports", () => {
  const text = `${line}\n// process.env is read in host/; see import("../build/build.ts")\n/* from "../build/build.ts" */\nexport const a = 1;\n`;
  assert.deepEqual(checkArchitecture(new Map(Object.entries({ ...fine, "image/digest.ts": text }))), []);
});

test("a cycle of types alone is none", () => {
  const files = {
    "layer/entry.ts": `${line}import type { A } from "./layer.ts";\n`,
    "layer/layer.ts": `${line}import { b } from "./entry.ts";\n`,
  };
  assert.deepEqual(checkArchitecture(new Map(Object.entries({ ...fine, ...files }))), []);
});
