// Packages of Debian and npm for either architecture, downloaded once and unpacked; apt and npm verify them. The machine's own are not touched.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./architecture.ts";

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Where its files are. */
  readonly folder: string;
}

export function run(program: string, args: readonly string[], cwd?: string): string {
  return execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26 });
}

/** The packages and the libraries that they depend on, of the suite that the machine's apt knows. */
export function fetchDebian(folder: string, { name: architecture }: Architecture, wanted: readonly string[]): readonly DebianPackage[] {
  const unpacked = join(folder, "debian");
  if (!existsSync(unpacked)) {
    const apt = openApt(folder, architecture);
    const files = join(folder, "deb");
    rmSync(files, { recursive: true, force: true });
    mkdirSync(files, { recursive: true });
    run("apt-get", [...apt, "-qq", "download", ...withLibraries(apt, wanted)], files);
    rmSync(`${unpacked}.new`, { recursive: true, force: true });
    mkdirSync(`${unpacked}.new`);
    for (const file of readdirSync(files)) {
      const [name = "", version = ""] = file.split("_");
      run("dpkg-deb", ["-x", join(files, file), join(`${unpacked}.new`, `${name}_${decodeURIComponent(version)}`)]);
    }
    renameSync(`${unpacked}.new`, unpacked);
  }
  return readdirSync(unpacked)
    .sort()
    .map((entry) => {
      const [name = "", version = ""] = entry.split("_");
      return { name, version, folder: join(unpacked, entry) };
    });
}

/** Options that give apt lists of its own below the folder, and the machine's sources and keys. */
function openApt(folder: string, architecture: string): readonly string[] {
  const state = join(folder, "apt");
  for (const place of ["lists/partial", "archives/partial"]) mkdirSync(join(state, place), { recursive: true });
  const options = [
    `Dir::State=${state}`,
    "Dir::State::status=/dev/null",
    `Dir::Cache=${state}`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Acquire::Retries=3",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
  ].flatMap((option) => ["-o", option]);
  run("apt-get", [...options, "-qq", "update"]);
  return options;
}

const isLibrary = (name: string) => /^(?:lib(?!.*perl)|zlib|gcc-\d+-base)/.test(name);

function withLibraries(apt: readonly string[], wanted: readonly string[]): readonly string[] {
  const only = ["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"];
  const dependencies = new Map<string, string[]>();
  let current = "";
  for (const line of run("apt-cache", [...apt, "depends", "--recurse", ...only, ...wanted]).split("\n")) {
    const [, needed] = /^ [ |](?:Pre)?Depends: (\S+)$/.exec(line) ?? [];
    if (needed !== undefined) dependencies.get(current)?.push(needed);
    if (!/^\S/.test(line)) continue;
    current = line;
    dependencies.set(current, []);
  }
  const found = new Set(wanted);
  for (const name of found) for (const needed of dependencies.get(name) ?? []) if (isLibrary(needed)) found.add(needed);
  return [...found];
}

/** The folder of Node's own build, of the version that `package-lock.json` has. */
export function fetchNode(folder: string, { node }: Architecture, lockFile: string): string {
  const version: string = JSON.parse(readFileSync(lockFile, "utf8")).packages["node_modules/node"].version;
  const place = join(folder, `node-${version}`);
  if (!existsSync(place)) {
    rmSync(`${place}.new`, { recursive: true, force: true });
    mkdirSync(`${place}.new`, { recursive: true });
    const file = run("npm", ["pack", "--silent", `node-linux-${node}@${version}`], `${place}.new`).trim();
    run("tar", ["-xzf", file, "--strip-components=1", "--no-same-owner"], `${place}.new`);
    rmSync(join(`${place}.new`, file));
    renameSync(`${place}.new`, place);
  }
  return place;
}
