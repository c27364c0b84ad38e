// What the commands of a RUN rely on where a supervisor serves them: asked on this machine, and in containers as CI clusters start them.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { layerOf, type RunOptions, type Stage } from "./stage.ts";

interface Row {
  readonly name: string;
  readonly command: string | readonly string[];
  readonly options?: RunOptions;
  /** Of both streams together. */
  readonly shows: RegExp;
  readonly hides?: RegExp;
}

const user = { uid: 1000, gid: 1000, groups: [5] };
const nowhere = /No such file|can't open|nonexistent/;
const self = "/proc/self/";

const battery: readonly Row[] = [
  { name: "its own number", command: "test $(readlink /proc/self) != $$ && cat /proc/$$/comm", shows: /^sh\n$/ },
  {
    name: "its program",
    command: "for i in self $$; do readlink /proc/$i/exe; done; realpath /proc/self/exe",
    shows: /^(\/bin\/\w+\n){3}$/,
  },
  {
    name: "its program, once more",
    command: "cp /bin/busybox /tmp/busybox; /tmp/busybox sh -c '/proc/self/exe' 2>&1 | head -n 1",
    shows: /applet not found/,
  },
  {
    name: "its root and directory",
    command: `cd /tmp; readlink ${self}root; readlink ${self}cwd; head -c 5 ${self}root/etc/passwd ${self}cwd/../etc/passwd`,
    shows: /^\/\n\/tmp\n[\s\S]*root:/,
  },
  {
    name: "its memory and arguments",
    command: `grep -c rw-p ${self}maps; cat ${self}cmdline | tr '\\0' ' '`,
    shows: /^\d+\ncat \/proc\/self\/cmdline $/,
  },
  {
    name: "its descriptors",
    command: "ls /proc/self/fd; exec 7</etc/passwd; readlink /proc/$$/fd/7; head -c 5 </proc/self/fd/7",
    shows: /^0\n1\n2\n\/etc\/passwd\nroot:$/,
  },
  {
    name: "streams as files",
    command: "echo a >/dev/stdout; echo b >/dev/stderr; echo c | cat /dev/stdin; echo d | cat /dev/fd/0",
    shows: /^a\nc\nd\nb\n$/,
  },
  { name: "a log that is linked to a stream", command: "ln -s /dev/stdout /tmp/log; echo logged >>/tmp/log", shows: /^logged\n$/ },
  {
    name: "devices",
    command: "echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; stat -c %F /dev/null",
    shows: /^3\n4\ncharacter special file\n$/,
  },
  { name: "a full device", command: "echo x >/dev/full", shows: /No space left/ },
  { name: "shared memory", command: "echo x >/dev/shm/x; cat /dev/shm/x; stat -c %a /dev/shm", shows: /^x\n1777\n$/ },
  { name: "a terminal only where there is one", command: "echo x >/dev/tty", shows: /No such device or address/ },
  {
    name: "a terminal of its own",
    command: "script -qc 'tty; echo here >/dev/tty' /dev/null </dev/null || true; exec 3<>/dev/ptmx && ls /dev/pts",
    shows: /\b0|\b\d+\r?\n/,
  },
  { name: "its processes and no others", command: "sleep 5 & ps; kill $!", shows: /sleep 5/, hides: /node|helper|runc/ },
  { name: "the machine's memory", command: "free | head -n 2; cat /proc/meminfo | head -n 1; uptime", shows: /Mem:.*MemTotal/s },
  {
    name: "file systems",
    command: "df / | tail -n 1; grep -c . /proc/mounts; mount | head -n 1; cat /proc/self/mountinfo | head -n 1",
    shows: / \/\n6\n.* on \/ .* \/ \/ /s,
  },
  { name: "a link to the mounts", command: "ln -sf ../proc/self/mounts /etc/mtab; head -n 1 /etc/mtab", shows: /^overlay \/ / },
  {
    name: "the kernel's settings",
    command: "cat /proc/sys/kernel/ostype; ls /sys/class/net; cat /sys/class/net/lo/mtu",
    shows: /^Linux\n(.*\n)*lo\n(.*\n)*65536\n$/,
  },
  {
    name: "which it does not change",
    command: "echo x >/proc/sys/kernel/hostname; echo x >/sys/class/net/lo/mtu",
    shows: /Read-only file system[\s\S]*Read-only file system/,
  },
  {
    name: "nor through a descriptor",
    command: "exec 7</proc/sys/kernel/hostname; echo x >/proc/self/fd/7",
    shows: /Read-only file system/,
  },
  {
    name: "files behind its descriptors, to change",
    command:
      "touch /tmp/mine; exec 7</tmp/mine; chmod 640 /proc/self/fd/7; chown 5:6 /dev/fd/7; touch -d @1000 /proc/self/fd/7; stat -c '%a %u %g %Y' /tmp/mine",
    shows: /^640 5 6 1000\n$/,
  },
  {
    name: "but not the kernel's",
    command: "chmod 600 /proc/cpuinfo; exec 7</proc/sys/kernel/hostname; chmod 666 /proc/self/fd/7",
    shows: /(Operation not permitted[\s\S]*){2}/,
  },
  {
    name: "what containers hide",
    command: "cat /proc/kcore /proc/keys 2>/dev/null | wc -c; ls /proc/scsi /sys/firmware 2>/dev/null | grep -v :",
    shows: /^0\n\n*$/,
  },
  {
    name: "relative paths",
    command: "cd /proc && head -n 1 self/status; cd /proc/$$ && cat comm; ls fd; cd /; cat proc/sys/kernel/ostype",
    shows: /^Name:\thead\nsh\n(.*\n)+Linux\n$/,
  },
  {
    name: "listings with the right kinds",
    command: "ls -l /proc/$$ /proc/self/fd >/dev/null && find /proc/$$/ -maxdepth 1 -type d | wc -l; find /sys/class/net/lo/ -name mtu",
    shows: /^[5-9]\n\/sys\/class\/net\/lo\/mtu\n$/,
  },
  {
    name: "nothing of the builder",
    command: "for i in environ cmdline root/etc/passwd fd/0 status; do cat /proc/1/$i /proc/$PPID/$i; done; ls /proc/1 /proc/$PPID",
    shows: nowhere,
    hides: /Name:|root:/,
  },
  {
    name: "no way out by a directory",
    command:
      "cd /proc/self/fd/.. && pwd; cd /sys/.. && pwd; ls /proc/self/fd/../../../../../etc/passwd /sys/../../../etc/passwd; ls /dev/fd/../../../",
    shows: /\/etc\/passwd/,
    hides: /work|checkout/,
  },
  {
    name: "all of that as nobody special",
    command: `id -u; cat ${self}comm; echo x >/dev/null; echo out >/dev/stdout; ls ${self}fd; readlink ${self}exe; ps`,
    options: { user },
    shows: /^1000\ncat\nout\n0\n1\n2\n\/bin\/\w+\nPID/,
  },
  {
    name: "what only root may read",
    command: "cat /proc/kmsg /proc/kallsyms | head -c 3; cat /proc/1/environ",
    options: { user },
    shows: /denied|No such/,
  },
  {
    name: "after a change of users",
    command: `su -s /bin/sh nobody -c "id -un; cat ${self}comm; ls ${self}fd; cat /proc/$$/environ; echo ok"`,
    shows: /^nobody\ncat\n0\n1\n2\n(.*\n)*ok\n/,
  },
  {
    name: "40 processes side by side",
    command: "for i in $(seq 40); do (for j in $(seq 10); do cat /proc/self/comm; done) & done | sort | uniq -c; wait",
    shows: /^ +400 cat\n$/,
  },
  {
    name: "a pipe that nobody reads holds up nobody else",
    command: "mkfifo /tmp/f; (timeout 3 cat /tmp/f &) ; (exec 3<>/tmp/f; cat /proc/self/comm); cat /proc/self/comm",
    shows: /^cat\ncat\n$/,
  },
  { name: "a static program", command: ["/bin/busybox", "cat", "/proc/self/comm"], shows: /^busybox\n$/ },
];

/** Programs of this machine, with what they are linked to: what tests find on any Debian. */
const programs: readonly string[] = [
  "bash",
  "dpkg",
  "dpkg-deb",
  "dpkg-split",
  "dpkg-query",
  "tar",
  "useradd",
  "ldconfig",
  "start-stop-daemon",
  "ps",
  "df",
];

// With a shell that does not take its own commands for those of the machine.
export const makePackage = [
  "mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /tmp/p/DEBIAN /tmp/p/opt; touch /var/lib/dpkg/status /tmp/p/opt/file",
  "printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: m\\nDescription: d\\n' >/tmp/p/DEBIAN/control",
  "printf '#!/bin/sh\\nset -e\\ncat /proc/self/comm >/dev/null\\ntest -e /proc/self/fd/1\\nreadlink /proc/$$/exe\\n' >/tmp/p/DEBIAN/postinst",
  "chmod 755 /tmp/p/DEBIAN/postinst; dpkg-deb -b /tmp/p /tmp/p.deb && dpkg -i /tmp/p.deb && dpkg -s p | grep Status; ls /opt",
].join("\n");

const machineBattery: readonly Row[] = [
  {
    name: "substituted processes",
    command: ["/usr/bin/bash", "-c", "cat <(echo one) <(echo two); echo three > >(cat); wait"],
    shows: /^one\ntwo\nthree\n$/,
  },
  {
    name: "procps and coreutils",
    command: "/usr/bin/ps aux; /usr/bin/df",
    shows: /USER.*\n(.*\n)*Filesystem.*\n.* \/\n/,
    hides: /node|helper|runc/,
  },
  { name: "an account is made", command: "/usr/sbin/useradd -M -u 1234 app && id -u app", shows: /1234\n$/ },
  {
    name: "a package is made and installed",
    command: ["/usr/bin/bash", "-c", makePackage],
    options: { env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] },
    shows: /Setting up p \(1\)[\s\S]*\/bin\/\w+\n[\s\S]*install ok installed\nfile\n/,
  },
];
/** A tar. */
export function archivePrograms(): Buffer {
  const root = mkdtempSync(join(tmpdir(), "slipway-programs-"));
  try {
    for (const program of programs) {
      const folder = ["/usr/sbin", "/usr/bin"].find((folder) => existsSync(join(folder, program)));
      if (folder !== undefined) addFile(root, join(folder, program));
    }
    return execFileSync("tar", ["-c", "--owner=0", "--group=0", "-C", root, "."], { maxBuffer: 1 << 28 });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function addFile(root: string, path: string): void {
  const copy = join(root, path);
  if (existsSync(copy)) return;
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(realpathSync(path), copy);
  const linked = spawnText("ldd", path).matchAll(/(\/\S+) \(0x/g);
  for (const [, library = ""] of linked) addFile(root, library);
}

function spawnText(program: string, argument: string): string {
  try {
    return execFileSync(program, [argument], { stdio: ["ignore", "pipe", "ignore"] }).toString();
  } catch {
    return ""; // a script, or linked to nothing
  }
}

/** Asks each and gives what is not as it should be. */
async function tryBattery(stage: Stage, rows: readonly Row[]): Promise<string[]> {
  const failures: string[] = [];
  for (const { name, command, options, shows, hides = /(?!)/ } of rows) {
    const { out, err } = await stage.run(typeof command === "string" ? `{ ${command}\n}; true` : command, options);
    const text = out + err;
    if (!shows.test(text) || hides.test(text)) failures.push(`${name}: ${JSON.stringify(text)}`);
  }
  return failures;
}

/** The same with programs of this machine beside those of the stage. */
export async function tryAll(stage: Stage): Promise<string[]> {
  const failures = await tryBattery(stage, battery);
  await stage.add(layerOf(archivePrograms(), "none"));
  return [...failures, ...(await tryBattery(stage, machineBattery))];
}
