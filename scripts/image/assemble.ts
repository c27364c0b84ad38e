// Puts the files of the executor image together: a folder for each of its layers, each file with the same time.

import { chmodSync, lutimesSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { buildDist } from "../build.ts";
import type { Architecture } from "./architecture.ts";
import { putLicenses } from "./licenses.ts";
import { fetchDebian, fetchNode } from "./packages.ts";
import { Programs } from "./programs.ts";

const wanted = ["base-files", "busybox-static", "ca-certificates", "coreutils", "git", "libstdc++6"];

/** When everything was made, whenever that was: a layer is another one where its content is, and not for each commit. npm's packages have it. */
const time = new Date("1985-10-26T08:15:00Z");

/** What runs as another user makes its files here. */
const openModes: Readonly<Record<string, number>> = { kaniko: 0o1777, "kaniko/.docker": 0o777 };

/** Gives the folder with the layers' folders `base`, `node`, `git` and `slipway`. `build` keeps downloads for the next time. */
export async function assemble(repository: string, build: string, architecture: Architecture): Promise<string> {
  const downloads = join(build, "downloads", architecture.name);
  const packages = fetchDebian(downloads, architecture, wanted);
  const node = fetchNode(downloads, architecture, join(repository, "package-lock.json"));
  const context = join(build, architecture.name);
  rmSync(context, { recursive: true, force: true });
  const [base, nodeLayer, git, slipway] = ["base", "node", "git", "slipway"].map((name) => join(context, name)) as [
    string,
    string,
    string,
    string,
  ];
  const programs = new Programs(architecture, packages);
  programs.put(join(node, "bin/node"), join(nodeLayer, "kaniko/node"));
  putGit(git, programs);
  putShell(base, programs);
  putCertificates(base, programs);
  programs.putLibraries(base);
  putLicenses(join(base, "kaniko/licenses"), packages, programs.used);
  write(join(nodeLayer, "kaniko/licenses/node/LICENSE"), readFileSync(join(node, "LICENSE")));
  await putSlipway(slipway, repository, architecture);
  for (const layer of [base, nodeLayer, git, slipway]) settle(layer);
  return context;
}

function write(path: string, content: string | Buffer, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
}

function link(path: string, target: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** git with its own programs, and with the authorities that the image trusts. */
const gitScript = [
  "#!/bin/sh",
  "export GIT_EXEC_PATH=/kaniko/git-core GIT_TEMPLATE_DIR=",
  'export GIT_SSL_CAINFO="${GIT_SSL_CAINFO-/kaniko/ssl/certs/ca-certificates.crt}"',
  'export GIT_SSL_CAPATH="${GIT_SSL_CAPATH-/kaniko/ssl/certs}"',
  'exec /kaniko/git-core/git "$@"',
  "",
];

/** What fetching over https and submodules need; the rest of git is one program. */
function putGit(root: string, programs: Programs): void {
  const core = join(root, "kaniko/git-core");
  for (const name of ["git", "git-remote-http"]) programs.put(programs.find(`usr/lib/git-core/${name}`), join(core, name));
  link(join(core, "git-remote-https"), "git-remote-http");
  for (const name of ["git-submodule", "git-sh-setup", "git-sh-i18n"])
    write(join(core, name), readFileSync(programs.find(`usr/lib/git-core/${name}`)), 0o755);
  write(join(root, "kaniko/git"), gitScript.join("\n"), 0o755);
}

/** busybox under each of its names. Its `rm` may cross into another file system; the builder takes one that does not. */
function putShell(root: string, programs: Programs): void {
  const busybox = readFileSync(programs.find("bin/busybox"));
  write(join(root, "busybox/busybox"), busybox, 0o755);
  for (const name of listApplets(busybox)) link(join(root, "busybox", name), "busybox");
  link(join(root, "bin/sh"), "/busybox/sh");
  programs.put(programs.find("bin/rm"), join(root, "kaniko/rm"));
}

/** The names stand in the program one after the other, sorted; it need not run, which it could not for another processor. */
function listApplets(busybox: Buffer): readonly string[] {
  const start = busybox.indexOf("[\0[[\0");
  const names = busybox.subarray(start, busybox.indexOf("\0\0", start)).toString("latin1").split("\0");
  if (start < 0 || !names.includes("sh") || !names.includes("cat")) throw new Error("Cannot find the names of busybox's applets in it");
  return names.filter((name) => name !== "busybox");
}

function putCertificates(root: string, programs: Programs): void {
  const folder = programs.find("usr/share/ca-certificates/mozilla");
  const texts = readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8").trimEnd());
  write(join(root, "kaniko/ssl/certs/ca-certificates.crt"), `${texts.join("\n")}\n`);
  mkdirSync(join(root, "kaniko/.docker"), { recursive: true });
}

/** The program, as built from the sources, with the helper for this processor alone. */
async function putSlipway(root: string, repository: string, { machine }: Architecture): Promise<void> {
  const kaniko = join(root, "kaniko");
  const dist = join(kaniko, "dist");
  const helper = `slipway-helper-${machine}`;
  write(join(dist, helper), readFileSync(join(repository, "dist", helper)), 0o755);
  await buildDist(dist, "/kaniko/node");
  for (const name of ["executor", "warmer", "slipway"]) link(join(kaniko, name), "dist/slipway.mjs");
  // By it the sandbox "inplace" knows where it is; native/in-place-kept.c looks at more.
  write(join(kaniko, "executor-image"), "");
  write(join(kaniko, "licenses/slipway/LICENSE"), readFileSync(join(repository, "LICENSE")));
}

/** Modes and times that do not depend on who made the files, and when. */
function settle(root: string): void {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, openModes[relative(root, path)] ?? 0o755);
    lutimesSync(path, time, time);
  }
}
