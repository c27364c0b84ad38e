// Where CI jobs run: containers as clusters start them, and users of a machine of its own.

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Ended, whenEnded } from "../support/ended.ts";
import { debianRoot } from "./bases.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));

export interface Place {
  readonly name: string;
  readonly uid: number;
  /** Whether it is a container, which could be one of any image. */
  readonly isContainer: boolean;
  /** Words that go before a command, to start it there. `root` is the root file system of a container's image, if it is not to be the usual. */
  prefix(workshop: Workshop, root?: string): readonly string[];
}

/** Files that places need, below a folder that all of them see under its own name. */
export interface Workshop {
  readonly folder: string;
  /** Of ../shared. */
  readonly shared: string;
}

const containers: readonly (readonly [name: string, uid: number])[] = [
  ["privileged", 0],
  ["sysadmin", 0],
  ["docker", 0],
  ["k8s", 0],
  ["podman", 0],
  ["docker-user", 1000],
  ["k8s-user", 1000],
  ["restricted", 1000],
  ["restricted-unconfined", 1000],
  ["drop-all", 0],
];

export const places: readonly Place[] = [
  ...containers.map(
    ([name, uid]): Place => ({ name, uid, isContainer: true, prefix: (workshop, root) => inContainer(name, workshop, root) }),
  ),
  onMachine("root", 0, () => []),
  onMachine("sudoer", 1000, (workshop) => asUser("sudoer", workshop)),
  onMachine("subids", 1000, (workshop) => asUser("subids", workshop)),
  onMachine("user", 1000, () => ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]),
];

function onMachine(name: string, uid: number, prefix: Place["prefix"]): Place {
  return { name, uid, isContainer: false, prefix };
}

/** The container has this project and the folder, under their own names, and with the usual root the machine's programs. */
function inContainer(name: string, { folder, shared }: Workshop, image?: string): readonly string[] {
  const modules = realpathSync(join(repository, "node_modules"));
  const read = [repository, shared, ...(modules.startsWith(repository) ? [] : [modules]), ...(image === undefined ? ["/usr"] : [])];
  const binds = [...read.map((path) => `${path}:${path}:ro`), `${folder}:${folder}`];
  const root = image ?? makeRoot(join(folder, "container"));
  return [join(shared, "environments/run-in"), name, root, ...binds.flatMap((bind) => ["-v", bind]), "--"];
}

function makeRoot(root: string): string {
  makeOnce(root, () => {
    for (const directory of ["usr", "etc", "proc", "sys", "dev", "tmp"]) mkdirSync(join(root, directory), { recursive: true });
    chmodSync(join(root, "tmp"), 0o777);
    for (const directory of ["bin", "lib", "lib64", "sbin"]) symlinkSync(`usr/${directory}`, join(root, directory));
  });
  return root;
}

/**
 * A user of this machine who has more than others: what says so lies over the machine's own files, in a mount namespace of the command's
 * own, and so does what sudo writes.
 */
function asUser(kind: "sudoer" | "subids", { folder }: Workshop): readonly string[] {
  const home = join(folder, kind);
  makeOnce(home, () => {
    for (const name of ["usr", "etc", "run"]) for (const part of ["upper", "work"]) mkdirSync(join(home, name, part), { recursive: true });
    const etc = join(home, "etc/upper");
    if (kind === "sudoer") unpackSudo(home);
    writeFileSync(join(etc, "passwd"), "root:x:0:0:root:/root:/bin/sh\nbuilder:*:1000:1000:builder:/tmp:/bin/sh\n");
    writeFileSync(join(etc, "group"), "root:x:0:\nbuilder:x:1000:\n");
    for (const name of ["subuid", "subgid"]) writeFileSync(join(etc, name), kind === "subids" ? "builder:100000:65536\n" : "");
  });
  const mounts = ["usr", "etc", "run"].map(
    (name) => `mount -t overlay overlay -o lowerdir=/${name},upperdir=${home}/${name}/upper,workdir=${home}/${name}/work /${name}`,
  );
  const become = "exec setpriv --reuid=1000 --regid=1000 --clear-groups";
  const script = `${mounts.join(" && ")} && ${become} "$@"`;
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
}

/** From the packages that the battery installs. */
function unpackSudo(home: string): void {
  const tar = debianRoot("packages");
  const list = execFileSync("tar", ["-tf", tar], { encoding: "utf8", maxBuffer: 1 << 26 });
  const name = list.split("\n").find((path) => /^\.\/archive\/sudo_/.test(path)) ?? "";
  execFileSync("tar", ["-xf", tar, "-C", home, "--strip-components=2", name]);
  execFileSync("dpkg-deb", ["-x", join(home, basename(name)), join(home, "sudo")]);
  for (const part of ["usr", "etc"]) execFileSync("cp", ["-a", join(home, "sudo", part, "."), join(home, part, "upper")]);
  const rules = join(home, "etc/upper/sudoers");
  rmSync(rules, { force: true });
  writeFileSync(rules, "Defaults !lecture\nbuilder ALL=(ALL) NOPASSWD: ALL\n", { mode: 0o440 });
}

const made = new Set<string>();

function makeOnce(path: string, make: () => void): void {
  if (made.has(path)) return;
  mkdirSync(path, { mode: 0o755 });
  make();
  made.add(path);
}

/** For one build. */
const patienceMs = 900_000;

/** Runs a command in a place to its end; `root` is that of a container's image. */
export function startIn(place: Place, workshop: Workshop, command: readonly string[], root?: string): Promise<Ended> {
  const [program = "", ...words] = [...place.prefix(workshop, root), ...command];
  const env = { PATH: process.env.PATH, HOME: "/tmp", LC_ALL: "C", RUN_IN_DIR: workshop.folder };
  const child = spawn(program, words, { cwd: "/", env, stdio: ["ignore", "pipe", "pipe"], timeout: patienceMs });
  return whenEnded(child);
}
