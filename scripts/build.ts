// Makes dist/: the bundle with its lazy chunks, the licences of what is in it, its sizes per package, and the manifest of all files.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Metafile } from "esbuild";
import { takeBuiltins } from "./builtins.ts";
import { nameChunks } from "./chunks.ts";
import { leaveOut } from "./leave-out.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Binaries come from `npm run native`, which needs compilers; this script leaves them as they are. */
const isBinary = (name: string): boolean => name.startsWith("slipway-helper-");

/** `interpreter` is what starts the bundle where it is called by its name. */
export async function buildDist(dist: string, interpreter = "/usr/bin/env node"): Promise<void> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [{ in: "src/main.ts", out: "slipway" }],
    outdir: "dist",
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunk-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    plugins: [takeBuiltins, leaveOut],
    legalComments: "none", // licenses.txt has the full texts
    logLevel: "warning",
    metafile: true,
    write: false,
  });
  mkdirSync(dist, { recursive: true });
  for (const name of readdirSync(dist)) if (!isBinary(name)) rmSync(join(dist, name), { recursive: true });
  const texts = new Map(outputFiles.map((file) => [basename(file.path), file.text]));
  for (const [name, text] of nameChunks(texts, metafile)) {
    const main = name === "slipway.mjs";
    writeFileSync(join(dist, name), main ? `#!${interpreter}\n${text}` : text, { mode: main ? 0o755 : 0o644 });
  }
  writeFileSync(join(dist, "licenses.txt"), describeLicenses(metafile));
  writeFileSync(join(dist, "sizes.txt"), describeSizes(metafile));
  writeFileSync(join(dist, "manifest.json"), describeFiles(dist));
}

/** `node_modules/@actions/core/lib/x.js` → `node_modules/@actions/core`; undefined for our own files. */
function findPackage(input: string): string | undefined {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

function listPackages(metafile: Metafile): string[] {
  const used = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = used.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([input]) => findPackage(input));
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

function describeLicenses(metafile: Metafile): string {
  const sections = listPackages(metafile).map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const file = readdirSync(join(root, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    if (file === undefined) throw new Error(`Cannot bundle "${name}": its package holds no licence text`);
    const text = readFileSync(join(root, folder, file), "utf8")
      .replaceAll("\r\n", "\n")
      .trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return sections.join(`\n${"-".repeat(78)}\n\n`);
}

/** KiB per package, so that growth shows in review; whole numbers, so that a small edit does not. */
function describeSizes(metafile: Metafile): string {
  const bytes = new Map<string, number>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const owner = findPackage(input)?.replace(/^.*node_modules\//, "") ?? dirname(input);
      bytes.set(owner, (bytes.get(owner) ?? 0) + bytesInOutput);
    }
  }
  const rows = [...bytes].sort(([a], [b]) => (a < b ? -1 : 1));
  const total = rows.reduce((sum, [, size]) => sum + size, 0);
  const show = (size: number, name: string) => `${String(Math.ceil(size / 1024)).padStart(6)} KiB  ${name}\n`;
  return rows.map(([name, size]) => show(size, name)).join("") + show(total, "total");
}

/** Size and sha256 of every file: whoever fetches dist/ checks it, and the helper is checked before each use. */
function describeFiles(dist: string): string {
  const files: Record<string, { size: number; sha256: string }> = {};
  for (const name of readdirSync(dist).sort()) {
    if (name === "manifest.json") continue;
    const bytes = readFileSync(join(dist, name));
    files[name] = { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  }
  return `${JSON.stringify({ files }, undefined, 2)}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await buildDist(join(root, "dist"));
