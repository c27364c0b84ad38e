// What the namespaces keep from a command that runs as root, and what they give it.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Layer } from "../../src/image/image.ts";
import { entry } from "../filesystem/entries.ts";
import { makeLayer } from "../filesystem/tar.ts";
import { needsRoot, processesNaming } from "./root.ts";
import { openBase, openStage, type RunOptions } from "./stage.ts";

/** The first disk of this machine, as mknod wants it. */
const disk = /^\s*(\d+)\s+(\d+)/m.exec(readFileSync("/proc/partitions", "utf8").replace(/^.*\n/, "")) ?? ["", "8", "0"];
const node = (directory: string, what: string) => `mkdir -p ${directory}; mknod ${directory}/node ${what} && cat ${directory}/node 2>&1`;
const user = { uid: 1000, gid: 1000, groups: [] };

interface Row {
  readonly name: string;
  readonly command: string;
  readonly options?: RunOptions;
  /** Of both streams together. */
  readonly shows: RegExp;
  /** Where a user namespace shows something else. */
  readonly inUserns?: RegExp;
  /** Where one that has one id does. */
  readonly withOneId?: RegExp;
  readonly hides?: RegExp;
}

const denied = /Operation not permitted|Permission denied|permission denied|denied/;
const rows: readonly Row[] = [
  ...["/", "/tmp", "/dev", "/dev/shm"].map((directory) => ({
    name: `a node of the disk in ${directory} opens nothing`,
    command: node(directory, `b ${disk[1]} ${disk[2]}`),
    shows: /can't open .*Permission denied/,
    inUserns: /mknod: .*Operation not permitted/,
    withOneId: /^$/, // an empty file stands for it
  })),
  {
    name: "nor does one of memory",
    command: node("/x", "c 1 1"),
    shows: /can't open .*Permission denied/,
    inUserns: /mknod: .*Operation not permitted/,
    withOneId: /^$/, // an empty file stands for it
  },
  { name: "nor does one by nobody special's hand", command: node("/tmp/mine", "c 1 3"), options: { user }, shows: denied },
  { name: "/proc/sys is read-only", command: "echo x >/proc/sys/kernel/hostname", shows: /Read-only file system/ },
  {
    name: "so are the other switches",
    command: "grep -E ' /proc/(bus|fs|irq|sys|sysrq-trigger) ' /proc/mounts | grep -c ' ro,'",
    shows: /^[45]\n$/,
  },
  {
    name: "/sys is read-only",
    command: "echo 1 >/sys/kernel/uevent_seqnum; mkdir /sys/fs/cgroup/x",
    shows: /Read-only file system.*Read-only/s,
  },
  {
    name: "secrets of the kernel are masked",
    command: "cat /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; ls -A /proc/acpi /sys/firmware",
    shows: /^(?:.*No such file.*\n|\/.*:\n|\n)*$/,
  },
  { name: "no mounts", command: "mkdir -p /m; mount -t tmpfs t /m; mount --bind /etc /m; umount /proc", shows: denied },
  {
    name: "no namespaces",
    command: "unshare -m true; unshare -U true; unshare -n true; nsenter -t 1 -m true",
    shows: /not permitted.*not permitted.*not permitted/s,
  },
  { name: "no sight of the machine's processes", command: "ls /proc | grep -c '^[0-9]'", shows: /^[3-6]\n$/ },
  {
    name: "no sight of the first process",
    command: "cat /proc/1/environ; ls /proc/1/root/; readlink /proc/1/exe; kill -9 1; echo alive",
    shows: /^alive\n.*environ.*denied.*root.*denied/s,
  },
  {
    name: "no way up",
    command: "cd /; ls ../../../../..; ls /dev/.old; chroot /proc/1/root true",
    shows: /can't change root|denied/,
    hides: /lost\+found|boot/,
  },
  {
    name: "Docker's capabilities for root",
    command: "grep ^Cap /proc/self/status",
    shows: /CapInh:\t0{16}\nCapPrm:\t0{8}a80425fb\nCapEff:\t0{8}a80425fb\nCapBnd:\t0{8}a80425fb\nCapAmb:\t0{16}\n/,
  },
  {
    name: "and none for others",
    command: "grep ^Cap /proc/self/status",
    options: { user },
    shows: /CapInh:\t0{16}\nCapPrm:\t0{16}\nCapEff:\t0{16}\nCapBnd:\t0{8}a80425fb\nCapAmb:\t0{16}\n/,
  },
  {
    name: "a filter, but setuid still counts",
    command: "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status",
    shows: /NoNewPrivs:\t0\nSeccomp:\t2\n/,
  },
  { name: "setuid programs", command: "/bin/su -c 'id -u' root </dev/null", options: { user }, shows: /^0\n$/, withOneId: /must be suid/ },
  { name: "host name", command: "hostname", options: { hostname: "other" }, shows: /^other\n$/ },
  { name: "64 MiB of shared memory", command: "df -k /dev/shm | tail -n 1; stat -c %a /dev/shm", shows: /65536 .*\n1777\n/ },
  { name: "terminals", command: "exec 3<>/dev/ptmx && ls /dev/pts; echo x >/dev/tty", shows: /^0\nptmx\n.*can't create \/dev\/tty/s },
  {
    name: "descriptors as files",
    command: "echo a >/dev/stdout; echo b >/dev/stderr; cat /dev/stdin; ls /dev/fd/0",
    options: { user },
    shows: /a\n.*\/dev\/fd\/0\n.*b\n/s,
  },
  {
    name: "network of the machine",
    command: "ls /sys/class/net | wc -l",
    shows: new RegExp(`^${readdirSync("/sys/class/net").length}\n$`),
  },
  { name: "or none", command: "ls /sys/class/net; ifconfig lo | grep -c UP", options: { network: "none" }, shows: /^lo\n1\n$/ },
];

for (const rung of ["ns", "userns", "userns-single"] as const) {
  test(`root in the namespaces has a container's rights and no more (${rung})`, async (t) => {
    const base = needsRoot(t) ? openBase(t) : undefined;
    if (base === undefined) return;
    const stage = await openStage(t, rung, [base]);
    assert.equal((await stage.run("chmod 4755 /bin/su; sed -i 's/^root:x:/root::/' /etc/passwd; rm /etc/shadow")).code, 0);
    for (const { name, command, options, shows, inUserns = shows, withOneId = inUserns, hides } of rows) {
      await t.test(name, async () => {
        const { out, err } = await stage.run(`${command}; true`, options);
        assert.match(out + err, rung === "ns" ? shows : rung === "userns" ? inUserns : withOneId);
        if (hides !== undefined) assert.doesNotMatch(out + err, hides);
      });
    }
  });
}

test("links of an image lead nowhere but into the image", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const outside = mkdtempSync(join(tmpdir(), "slipway-outside-"));
  t.after(() => rmSync(outside, { recursive: true, force: true }));
  for (const rung of ["ns", "userns", "chroot", "userns-single", "chroot-bare"] as const) {
    for (const link of [`../../../../..${outside}/hosts`, `${outside}/deep/hosts`, `/proc/1/root${outside}/hosts`]) {
      const stage = await openStage(t, rung, [base, makeLayer([{ entry: entry("etc/hosts", "symlink", { link }) }])]);
      const ran = await stage.run("true").catch((error: Error) => error);
      assert.deepEqual(readdirSync(outside), [], `${rung}: ${link}`);
      if (!(ran instanceof Error)) assert.deepEqual(ran.changes, ["directory 755 0:0 proc", "directory 755 0:0 sys"]);
    }
  }
});

test("150 layers stack, with whiteouts, opaque directories and links across them", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const file = (path: string, text: string) => ({ entry: entry(path, "file", { size: text.length }), content: Buffer.from(text) });
  const many = Array.from({ length: 147 }, (_, i) =>
    makeLayer([{ entry: entry("d", "directory") }, file(`d/${i}`, String(i)), file("last", String(i))]),
  );
  const stage = await openStage(t, "ns", [
    base,
    ...many,
    makeLayer([file("d/.wh.7", ""), { entry: entry("link", "hardlink", { link: "d/8" }) }]),
    makeLayer([{ entry: entry("etc", "directory") }, file("etc/.wh..wh..opq", ""), file("etc/only", "x")]),
  ]);
  const { out } = await stage.run("ls /d | wc -l; cat /last; echo; cat /link; echo; ls /etc");
  assert.equal(out, "146\n146\n8\nhosts\nonly\nresolv.conf\n");
});

test("more layers than overlayfs takes are refused by number", async (t) => {
  if (!needsRoot(t)) return;
  const stage = await openStage(t, "ns", []);
  const layer = new Promise<Layer>(() => {});
  for (let i = 0; i < 500; i++) void stage.root.add(layer);
  await assert.rejects(stage.root.add(layer), /Cannot stack more than 500 layers/);
});

test("unpacked layers and published changes serve other stages and later builds", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const stateDir = mkdtempSync(join(tmpdir(), "slipway-state-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const first = await openStage(t, "ns", [base], stateDir);
  await first.run("echo one >/one");
  assert.equal((await first.run("cat /one")).out, "one\n");
  const unpacked = readdirSync(join(stateDir, "layers"));
  assert.equal(unpacked.length, 3);
  const second = await openStage(t, "ns", [base], stateDir);
  const third = await openStage(t, "ns", [base], stateDir);
  await Promise.all([second.run("echo two >/two"), third.run("echo three >/three")]);
  assert.equal((await second.run("ls -d /one /two /three 2>/dev/null")).out, "/two\n");
  await Promise.all([first.sandbox.close(), second.sandbox.close(), third.sandbox.close()]);
  assert.deepEqual(readdirSync(join(stateDir, "work")), []);
  assert.ok(unpacked.every((name) => readdirSync(join(stateDir, "layers")).includes(name)));
});

for (const rung of ["ns", "userns", "chroot", "userns-single", "chroot-bare"] as const) {
  test(`commands die with the builder, even when it is killed (${rung})`, async (t) => {
    const base = needsRoot(t) ? openBase(t) : undefined;
    if (base === undefined) return;
    const stateDir = mkdtempSync(join(tmpdir(), "slipway-killed-"));
    t.after(() => rmSync(stateDir, { recursive: true, force: true }));
    const builder = spawn(process.execPath, [fileURLToPath(new URL("killed-builder.ts", import.meta.url)), rung, stateDir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => builder.kill("SIGKILL"));
    await waitForLine(builder);
    assert.equal(await settle((sleepers) => sleepers === 2), 2);
    builder.kill("SIGKILL");
    assert.equal(await settle((sleepers) => sleepers === 0), 0);
  });
}

/** How many of the commands run, as soon as that is what is waited for, and after 5 s at last. */
async function settle(isSettled: (sleepers: number) => boolean): Promise<number> {
  const sleepers = () => processesNaming("8643[12]").length;
  const until = Date.now() + 5000;
  while (!isSettled(sleepers()) && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  return sleepers();
}

async function waitForLine({ stdout }: ChildProcess): Promise<void> {
  if (stdout !== null) await once(stdout, "data");
}

test("nobody else on the machine reaches what images hold", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  for (const rung of ["ns", "userns", "chroot", "userns-single", "chroot-bare"] as const) {
    const { run, stateDir } = await openStage(t, rung, [base]);
    await run("true");
    for (const name of readdirSync(stateDir).filter((name) => name === "work" || name === "layers"))
      assert.equal(statSync(join(stateDir, name)).mode & 0o77, 0, `${rung}: ${name}`);
  }
});
