// Builds the helper of native/ for each architecture into dist/ and writes its size and sha256 into dist/manifest.json.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const build = join(root, "build/native");
const dist = join(root, "dist");

interface Target {
  readonly name: string;
  readonly compiler: string;
  /** Where libdeflate.h and libdeflate.a are, unless in the compiler's own folders. */
  readonly libdeflate?: string;
}

/** Debian's libdeflate for arm64, unpacked below build/; `apt-get download` verifies it against the archive's signature. */
function fetchLibdeflate(): string {
  const folder = join(build, "arm64");
  const library = join(folder, "usr/lib/aarch64-linux-gnu/libdeflate.a");
  if (!existsSync(library)) {
    mkdirSync(folder, { recursive: true });
    run("dpkg", ["--add-architecture", "arm64"]);
    run("apt-get", ["-qq", "update"]);
    run("apt-get", ["-qq", "download", "libdeflate-dev:arm64"], folder);
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb"))) run("dpkg", ["-x", file, "."], folder);
  }
  return join(folder, "usr");
}

function run(program: string, args: readonly string[], cwd = root): void {
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

/** The same sources give the same bytes: no build id, no paths, no times, sources in order of name. */
function compile({ name, compiler, libdeflate }: Target): Buffer {
  const sources = readdirSync(join(root, "native")).filter((file) => file.endsWith(".c"));
  const output = join(build, `${name}.${process.pid}`);
  run(compiler, [
    ...["-std=gnu17", "-O2", "-Wall", "-Wextra", "-static", "-pthread", "-s", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64"],
    ...["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,noseparate-code", "-no-pie"],
    ...(libdeflate === undefined ? [] : [`-I${libdeflate}/include`, `-L${libdeflate}/lib/aarch64-linux-gnu`]),
    ...["-o", output, ...sources.sort().map((file) => `native/${file}`), "-ldeflate"],
  ]);
  const bytes = readFileSync(output);
  renameSync(output, join(dist, name));
  return bytes;
}

mkdirSync(build, { recursive: true });
mkdirSync(dist, { recursive: true });
const targets: readonly Target[] = [
  { name: "slipway-helper-x86_64", compiler: "gcc" },
  { name: "slipway-helper-aarch64", compiler: "aarch64-linux-gnu-gcc", libdeflate: fetchLibdeflate() },
];
const manifestFile = join(dist, "manifest.json");
const manifest = existsSync(manifestFile) ? JSON.parse(readFileSync(manifestFile, "utf8")) : { files: {} };
for (const target of targets) {
  const bytes = compile(target);
  manifest.files[target.name] = { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  console.log(`${target.name}: ${bytes.length} bytes`);
}
manifest.files = Object.fromEntries(Object.entries(manifest.files).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(`${manifestFile}.${process.pid}`, `${JSON.stringify(manifest, null, 2)}\n`);
renameSync(`${manifestFile}.${process.pid}`, manifestFile);
