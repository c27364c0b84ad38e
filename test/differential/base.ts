// The images that programs build on: busybox with accounts, links, odd modes and a capability, and one with a full configuration.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf, pushRootFileSystem } from "../support/local-registry.ts";
import type { Member } from "./program.ts";
import { compressArchive, writeArchive } from "./tar.ts";

const busybox = "/bin/busybox";
const time = 1_700_000_000;

/** cap_net_raw=ep, as the kernel keeps it: version 2. */
const capability = "\u0001\u0000\u0000\u0002\u0000 \u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000";

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
app:x:1000:1000:app:/home/app:/bin/sh
ops:x:1001:100:ops:/home/ops:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const group = `root:x:0:
daemon:x:1:app
wheel:x:10:root,ops
users:x:100:
app:x:1000:
staff:x:2000:app,ops
nobody:x:65534:
`;

/** Symlinks of the base, for the generator; hard links of busybox are left out. */
export const baseLinks: Readonly<Record<string, string>> = {
  "/lnk": "/data",
  "/data/up": "../opt/app",
  "/dangling": "/nowhere/at/all",
  "/loop": "/loop",
  "/usr/bin/env": "../../bin/env",
  "/opt/current": "app",
  "/opt/app/conf": "/data/a.txt",
};
export const baseDirectories = [
  "/bin",
  "/data",
  "/data/sub",
  "/data/empty",
  "/etc",
  "/home/app",
  "/opt",
  "/opt/app",
  "/srv",
  "/tmp",
  "/usr/bin",
  "/root",
  "/var/spool",
];
export const baseFiles = [
  "/data/a.txt",
  "/data/b.txt",
  "/data/sub/c",
  "/data/sub/d",
  "/opt/app/run",
  "/opt/app/cap",
  "/opt/app/one",
  "/opt/app/two",
  "/etc/hosts.allow",
  "/etc/group",
];

function member(type: Member["type"], name: string, more: Partial<Member> = {}): Member {
  return { type, name, mode: type === "directory" ? 0o755 : 0o644, uid: 0, gid: 0, time, ...more };
}

function baseMembers(): (Member & { bytes?: Buffer })[] {
  const applets = execFileSync(busybox, ["--list"], { encoding: "utf8" })
    .split("\n")
    .filter((name) => name !== "" && name !== "busybox");
  const directories: Readonly<Record<string, Partial<Member>>> = {
    bin: {},
    data: { mode: 0o2775, uid: 1000, gid: 1000 },
    "data/sub": { mode: 0o750 },
    "data/empty": { time: time + 5 },
    dev: {},
    etc: {},
    home: {},
    "home/app": { uid: 1000, gid: 1000 },
    opt: {},
    "opt/app": { mode: 0o711 },
    proc: {},
    root: { mode: 0o700 },
    srv: { uid: 33 },
    sys: {},
    tmp: { mode: 0o1777 },
    usr: {},
    "usr/bin": {},
    var: {},
    "var/spool": { mode: 0o1777 },
  };
  return [
    ...Object.entries(directories).map(([name, more]) => member("directory", `${name}/`, more)),
    { ...member("file", "bin/busybox", { mode: 0o755 }), bytes: readFileSync(busybox) },
    ...applets.map((name) => member("hardlink", `bin/${name}`, { link: "bin/busybox", mode: 0o755 })),
    member("file", "etc/passwd", { text: passwd }),
    member("file", "etc/group", { text: group }),
    member("file", "etc/hosts.allow", { text: "ALL: ALL\n" }),
    member("file", "data/a.txt", { text: "base a\n", uid: 1000, gid: 1000 }),
    member("file", "data/b.txt", { text: "base b\n", mode: 0o4755, time: time + 100 }),
    member("file", "data/sub/c", { text: "base c\n", mode: 0o600 }),
    member("file", "data/sub/d", { text: "", mode: 0 }),
    member("file", "opt/app/run", { text: "#!/bin/sh\necho run\n", mode: 0o755 }),
    member("file", "opt/app/cap", { text: "capable\n", mode: 0o755, pax: { "SCHILY.xattr.security.capability": capability } }),
    member("file", "opt/app/one", { text: "twins\n", uid: 1001, gid: 100 }),
    member("hardlink", "opt/app/two", { link: "opt/app/one", uid: 1001, gid: 100 }),
    ...Object.entries(baseLinks).map(([name, link]) => member("symlink", name.slice(1), { link, mode: 0o777 })),
  ];
}

const plain = { Cmd: ["sh"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] };
const full = {
  Cmd: ["sh", "-c", "echo base"],
  Entrypoint: ["/bin/env"],
  Env: ["PATH=/bin:/usr/bin", "BASE=from base", "EMPTY="],
  ExposedPorts: { "80/tcp": {} },
  Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5_000_000_000 },
  Labels: { "org.base": "yes", shared: "base" },
  OnBuild: ["ENV TRIGGERED=$BASE", "RUN echo fired >/data/fired"],
  StopSignal: "SIGQUIT",
  User: "app",
  Volumes: { "/vol": {} },
  WorkingDir: "/srv/work",
  // What docker build and others have left in the configurations of old images.
  Hostname: "5fb2a2d2b7a1",
  Domainname: "",
  AttachStdin: false,
  Tty: true,
  Image: "sha256:aa",
  ArgsEscaped: true,
  MacAddress: "",
};

/** Pushes `base:1` and `base:2`, the same files below; `work` is a folder for the tar. Gives the diffIds of their layers. */
export async function pushBases(host: string, work: string): Promise<Set<string>> {
  const archive = writeArchive(baseMembers());
  const file = join(work, "base.tar.gz");
  writeFileSync(file, compressArchive(archive, "gzip"));
  await pushRootFileSystem(host, file, ["base:1"], plain);
  await pushRootFileSystem(host, file, ["base:2"], full);
  return new Set([digestOf(archive)]);
}
