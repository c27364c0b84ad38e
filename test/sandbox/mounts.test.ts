// What a command sees of each kind of mount, and that nothing of it stays.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { LayerItem } from "../../src/layer/entry.ts";
import type { Mount } from "../../src/sandbox/sandbox.ts";
import { directoryItem, fileItem, temporaryDirectory } from "../support/build.ts";
import { needsRoot, processesNaming } from "./root.ts";
import { type Rung, testRungs } from "./rungs.ts";
import { openBase, openStage } from "./stage.ts";

const seedItems: readonly LayerItem[] = [
  directoryItem("", 0o750),
  fileItem("a", "in a\n", { mode: 0o640, uid: 7, gid: 8, mtime: 86400 }),
  { entry: { ...fileItem("b", "").entry, type: "hardlink", link: "a" } },
  { entry: { ...fileItem("link", "").entry, type: "symlink", link: "../etc" } },
  directoryItem("sub"),
  fileItem("sub/run", "#!/bin/sh\necho ran\n", { mode: 0o755 }),
];
const tree = { key: "tree", items: async () => seedItems };
const one = { key: "one", items: async () => [fileItem("", "one\n", { mode: 0o600 })] };
const bind: Mount = { kind: "bind", target: "/mnt", source: tree, writable: false };
const plain = { mode: 0o755, uid: 0, gid: 0 };
const cache: Mount & { readonly kind: "cache" } = {
  ...{ kind: "cache", target: "/cache", key: "x", id: "x", sharing: "shared", seed: undefined, owner: plain, source: "", writable: true },
};
const tmpfs: Mount = { kind: "tmpfs", target: "/mnt", size: 0, writable: true };
const secret: Mount = {
  ...{ kind: "content", target: "/run/secrets/s", bytes: Buffer.from("s3cret\n"), executable: false, mode: 0o400, uid: 0, gid: 0 },
};

interface Row {
  readonly name: string;
  readonly mounts: readonly Mount[];
  readonly command: string;
  readonly code?: number;
  readonly shows?: RegExp;
  readonly changes?: readonly string[];
  /** Where not everywhere. */
  readonly only?: Rung;
  readonly not?: Rung;
}

const rows: readonly Row[] = [
  {
    name: "a directory with modes, owners, times and links",
    mounts: [bind],
    command: "cat /mnt/a /mnt/b; stat -c '%a %u:%g %h %Y' /mnt/a; stat -c %a /mnt; readlink /mnt/link; /mnt/sub/run",
    shows: /^in a\nin a\n640 7:8 2 86400\n750\n\.\.\/etc\nran\n$/,
  },
  { name: "a read-only directory", mounts: [bind], command: "touch /mnt/x", code: 1, shows: /Read-only file system/, only: "ns" },
  {
    name: "a writable directory, and no trace of what was written",
    mounts: [{ ...bind, writable: true }],
    command: "echo new >/mnt/a; rm /mnt/sub/run; touch /mnt/x; cat /mnt/b; ls /mnt",
    shows: /^new\na\nb\nlink\nsub\nx\n$/,
  },
  {
    name: "and nothing of that the next time",
    mounts: [{ ...bind, writable: true }],
    command: "cat /mnt/a; ls /mnt/sub",
    shows: /^in a\nrun\n$/,
  },
  {
    name: "a file",
    mounts: [{ ...bind, source: one, target: "/x/y/file" }],
    command: "cat /x/y/file; stat -c %a /x/y/file",
    shows: /^one\n600\n$/,
  },
  { name: "a file over a file", mounts: [{ ...bind, source: one, target: "/etc/passwd" }], command: "cat /etc/passwd", shows: /^one\n$/ },
  { name: "the file is itself again", mounts: [], command: "head -c 5 /etc/passwd", shows: /^root:$/ },
  { name: "a directory over a directory", mounts: [{ ...bind, target: "/etc" }], command: "ls /etc", shows: /^a\nb\nlink\nsub\n$/ },
  { name: "a directory over a file", mounts: [{ ...bind, target: "/etc/passwd" }], command: "true", shows: /Not a directory/, code: -1 },
  { name: "a file over a directory", mounts: [{ ...bind, source: one, target: "/etc" }], command: "true", shows: /[Dd]irectory/, code: -1 },
  { name: "through a symlink", mounts: [{ ...bind, target: "/lnk" }], command: "cat /real/a; ls /lnk/sub", shows: /^in a\nrun\n$/ },
  {
    name: "one in another, as the order says",
    mounts: [tmpfs, { ...cache, target: "/mnt/cache", key: "nested" }, { ...bind, target: "/mnt/cache/deep/tree" }],
    command: "echo kept >/mnt/cache/kept; cat /mnt/cache/deep/tree/a; ls /mnt /mnt/cache",
    shows: /^in a\n\/mnt:\ncache\n\n\/mnt\/cache:\ndeep\nkept\n$/,
  },
  { name: "and no stub in the cache", mounts: [{ ...cache, key: "nested" }], command: "ls /cache", shows: /^kept\n$/ },
  { name: "the later of two in one place", mounts: [bind, tmpfs], command: "ls -A /mnt | wc -l", shows: /^0\n$/ },
  {
    name: "memory as a file system",
    mounts: [{ ...tmpfs, target: "/new/tmp" }],
    command: "stat -c %a /new/tmp; echo x >/new/tmp/x; cat /new/tmp/x",
    shows: /^1777\nx\n$/,
  },
  { name: "with the mode of the directory below", mounts: [{ ...tmpfs, target: "/root" }], command: "stat -c %a /root", shows: /^700\n$/ },
  {
    name: "of a size",
    mounts: [{ ...tmpfs, size: 1 << 20 }],
    command: "head -c 2000000 /dev/zero >/mnt/x; stat -f -c %T /mnt",
    shows: /^tmpfs\n.*(?:No space left|I\/O error)/s,
    only: "ns",
  },
  { name: "that is read-only", mounts: [{ ...tmpfs, writable: false }], command: "touch /mnt/x", code: 1, shows: /Read-only/, only: "ns" },
  { name: "a secret", mounts: [secret], command: "cat /run/secrets/s; stat -c '%a %u:%g' /run/secrets/s", shows: /^s3cret\n400 0:0\n$/ },
  {
    name: "a secret that is read-only and lies in memory",
    mounts: [secret],
    command: "echo x >>/run/secrets/s; stat -f -c %T /run/secrets/s; grep -c ' /run/secrets/s tmpfs ro,nosuid,nodev,noexec,' /proc/mounts",
    shows: /^tmpfs\n1\n.*Read-only file system/s,
    only: "ns",
  },
  {
    name: "a secret of somebody, over a file of the image",
    mounts: [{ ...secret, mode: 0o4640, uid: 5, gid: 6, target: "/etc/shadow" }],
    command: "stat -c '%a %u:%g' /etc/shadow; cat /etc/shadow",
    shows: /^4640 5:6\ns3cret\n$/,
  },
  {
    name: "an empty secret and a binary one",
    mounts: [
      { ...secret, bytes: new Uint8Array() },
      { ...secret, bytes: Uint8Array.from([0, 255, 10]), target: "/run/secrets/t" },
    ],
    command: "wc -c </run/secrets/s; od -An -tx1 /run/secrets/t",
    shows: /^0\n 00 ff 0a\n$/,
  },
  {
    name: "a secret by other names and ways to read it",
    mounts: [secret],
    command: [
      "ln -s /run/secrets /s; ln -s /s/s /tmp/one; cat /s/s /tmp/one; cd /run/secrets; cat s ./s; cd ..; cat secrets/s",
      "cat /run/secrets/s | wc -c; test -s /run/secrets/s && test -f /s/s && ls -l /run/secrets | grep -c '^-r--------.* 7 '; rm /s /tmp/one",
    ].join("; "),
    shows: /^(s3cret\n){5}7\n1\n$/,
  },
  {
    name: "a secret that others may not read",
    mounts: [secret],
    command: "chmod 755 /run 2>/dev/null; su -s /bin/sh nobody -c 'cat /run/secrets/s'",
    not: "userns-single", // where nobody becomes somebody else
    shows: /^cat: .*Permission denied\n$/,
    code: 1,
  },
  {
    name: "a program that only this command has",
    mounts: [{ ...secret, target: "/dev/pipes/EOF", bytes: Buffer.from("#!/bin/sh\necho $0\n"), executable: true, mode: 0o755 }],
    command: "/dev/pipes/EOF",
    shows: /^\/dev\/pipes\/EOF\n$/,
  },
  {
    name: "a command that makes what a mount needed",
    mounts: [{ ...bind, target: "/made/here" }],
    command: "echo x >/made/file",
    changes: ["directory 755 0:0 made", "file 644 0:0 made/file"],
  },
  { name: "a target that is relative to nothing", mounts: [{ ...bind, target: "/" }], command: "true", code: -1, shows: /it is the root/ },
];

testRungs("a command sees its mounts, and leaves nothing of them", async (t, stage, rung) => {
  const base = openBase(t);
  if (base === undefined) return;
  await stage.run("true");
  await stage.run("mkdir /real; ln -s real /lnk; touch -d @1000 /etc /root /real /");
  for (const { name, mounts, command, code = 0, shows, changes = [], only, not } of rows) {
    if ((only !== undefined && only !== rung) || not === rung) continue;
    await t.test(name, async () => {
      // After that the stage is of no use any more.
      if (code < 0) return assert.rejects((await openStage(t, rung, [base])).run(command, { mounts }), shows ?? /./);
      const ran = await stage.run(command, { mounts });
      assert.equal(ran.code, code, ran.err);
      if (shows !== undefined) assert.match(ran.out + ran.err, shows);
      assert.deepEqual(ran.changes, changes);
    });
  }
  const { out } = await stage.run("stat -c %Y / /etc /root /real; ls -d /mnt /run /new /x 2>/dev/null");
  assert.match(out, /^\d+\n1000\n1000\n1000\n$/);
});

testRungs("a cache keeps what commands put there, also those that fail", async (t, stage, rung) => {
  const cached = (more: Partial<typeof cache>, command: string) => stage.run(command, { mounts: [{ ...cache, ...more }] });
  assert.equal((await cached({}, "touch /cache/first; exit 3")).code, 3);
  const rows: readonly (readonly [what: string, more: Partial<typeof cache>, command: string, shows: RegExp])[] = [
    ["in another place", { target: "/else/where" }, "ls /else/where; touch /else/where/second", /^first\n$/],
    ["under another key", { key: "y" }, "ls /cache; stat -c '%a %u:%g' /cache", /^755 0:0\n$/],
    ["with an owner", { key: "z", owner: { mode: 0o1770, uid: 3, gid: 4 } }, "stat -c '%a %u:%g' /cache; touch /cache/a", /^1770 3:4\n$/],
    ["from a seed", { key: "seed", seed: tree }, "cat /cache/a; rm /cache/a; stat -c %a /cache", /^in a\n750\n$/],
    ["from a seed, once", { key: "seed", seed: tree }, "ls /cache", /^b\nlink\nsub\n$/],
    ["a part of it", { key: "seed", seed: tree, source: "sub" }, "ls /cache", /^run\n$/],
    ["a file of it", { key: "seed", seed: tree, source: "sub/run", target: "/bin/mine" }, "mine", /^ran\n$/],
    ["all of it", {}, "ls /cache", /^first\nsecond\n$/],
  ];
  for (const [what, more, command, shows] of rows)
    await t.test(what, async () => {
      const ran = await cached(more, command);
      assert.match(ran.out + ran.err, shows);
      assert.deepEqual(
        ran.changes.filter((line) => !line.endsWith(" proc") && !line.endsWith(" sys")),
        [],
      );
    });
  await assert.rejects(cached({ key: "seed", source: "nope" }, "true"), /Cannot mount "\/nope" of the cache "x": it is not there/);
  const next = await openStage(t, rung, [], stage.stateDir);
  const seeded = { ...cache, key: "seed" };
  const nested = ["/cache/new/dir", "/cache/b"].map((target) => ({ ...bind, target }));
  await assert.rejects(next.run(["/none"], { mounts: [seeded, ...nested] }), /"\/cache\/b": Not a directory/);
  const base = openBase(t);
  const last = base && (await (await openStage(t, rung, [base], stage.stateDir)).run("ls /cache", { mounts: [{ ...cache, key: "seed" }] }));
  assert.equal(last?.out, "b\nlink\nsub\n", "a mount that failed has lost nothing");
});

testRungs("a symlink in a cache leads nowhere", async (t, stage, rung) => {
  const mounts = [cache];
  await stage.run(
    "ln -s /etc /cache/absolute; ln -s ../../../../../../../etc /cache/relative; ln -s /sub /cache/inside; mkdir /cache/sub",
    { mounts },
  );
  for (const source of ["absolute", "relative"])
    await assert.rejects(
      (await openStage(t, rung, [], stage.stateDir)).run("ls /mnt", { mounts: [{ ...cache, target: "/mnt", source }] }),
      /it is not there/,
    );
  const { out } = await stage.run("touch /mnt/x; ls -d /mnt/x", { mounts: [{ ...cache, target: "/mnt", source: "inside" }] });
  assert.equal(out, "/mnt/x\n");
});

testRungs("two places for one cache", async (_t, stage, rung) => {
  const running = stage.run("touch /cache/x; ls /mnt", { mounts: [cache, { ...cache, target: "/mnt" }] });
  if (rung === "ns" || rung.startsWith("userns")) assert.equal((await running).out, "x\n");
  else await assert.rejects(running, /Cannot mount the cache "x" at two places/);
});

const agentOptions = { mode: 0o600, uid: 0, gid: 0 };

testRungs("an agent answers requests for keys and signatures alone", async (t, stage) => {
  const directory = await temporaryDirectory(t);
  const asked: number[] = [];
  const server = createServer((client) => {
    client.on("data", (message) => {
      asked.push(message[4] ?? 0);
      client.write(Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 0]));
    });
  }).listen(join(directory, "agent"));
  t.after(() => server.close());
  const mount: Mount = { kind: "agent", target: "/run/buildkit/ssh_agent.0", socket: join(directory, "agent"), ...agentOptions };
  const ask = (type: number) => `printf '\\0\\0\\0\\1\\${type.toString(8)}' | timeout 5 nc local:/run/buildkit/ssh_agent.0 | od -An -tx1`;
  const ran = await stage.run(`stat -c '%F %a' /run/buildkit/ssh_agent.0; ${ask(11)}`, { mounts: [mount] });
  assert.match(ran.out, /^socket 600\n/);
  assert.deepEqual(
    ran.changes.filter((line) => /run/.test(line)),
    [],
  );
});

test("the proxy of an agent passes on what it may", async (t) => {
  const { openAgentProxy } = await import("../../src/sandbox/agent-proxy.ts");
  const directory = await temporaryDirectory(t);
  const asked: number[] = [];
  const server = createServer((client) => {
    client.on("error", () => {});
    client.on("data", (message) => {
      asked.push(message[4] ?? 0);
      client.write(Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 0]));
    });
  }).listen(join(directory, "agent"));
  t.after(() => server.close());
  const proxy = await openAgentProxy(directory, "proxy", join(directory, "agent"));
  const ask = (bytes: readonly number[]) =>
    new Promise<string>((resolve) => {
      const client = connect(join(directory, "proxy"));
      client.once("data", (data) => {
        client.destroy();
        resolve(data.toString("hex"));
      });
      client.once("close", () => resolve("closed"));
      for (const byte of bytes) client.write(Buffer.from([byte]));
    });
  assert.equal(await ask([0, 0, 0, 1, 11]), "000000050c00000000");
  assert.equal(await ask([0, 0, 0, 1, 19]), "0000000105", "removing all keys is refused");
  assert.equal(await ask([0xff, 0, 0, 1, 11]), "closed");
  assert.deepEqual(asked, [11]);
  await proxy.close();
});

testRungs("a locked cache is one command's at a time, a private one nobody else's", async (t, stage, rung) => {
  const base = openBase(t);
  if (base === undefined) return;
  const other = await openStage(t, rung, [base], stage.stateDir);
  const both = async (sharing: "locked" | "private", key: string) => {
    const mounts = [{ ...cache, sharing, key }];
    const command =
      "test ! -e /cache/busy || echo overlap; touch /cache/busy; sleep 0.4; rm /cache/busy; echo x >>/cache/log; wc -l </cache/log";
    const ran = await Promise.all([stage.run(command, { mounts }), other.run(command, { mounts })]);
    return ran.map(({ out }) => out).sort();
  };
  assert.deepEqual(await both("locked", "one"), ["1\n", "2\n"]);
  assert.deepEqual(await both("private", "two"), ["1\n", "1\n"]);
});

test("commands that share a cache see each other's files, and two caches in either order do not wait for each other", {
  skip: process.geteuid?.() !== 0,
}, async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const stage = await openStage(t, "ns", [base]);
  const other = await openStage(t, "ns", [base], stage.stateDir);
  const mounts = [cache];
  const [first, second] = await Promise.all([
    stage.run("touch /cache/one; for i in 1 2 3 4 5 6 7 8 9; do test -e /cache/two && echo met && break; sleep 0.2; done", { mounts }),
    other.run("touch /cache/two; for i in 1 2 3 4 5 6 7 8 9; do test -e /cache/one && echo met && break; sleep 0.2; done", { mounts }),
  ]);
  assert.deepEqual([first.out, second.out], ["met\n", "met\n"]);
  const locked = (key: string, target: string): Mount => ({ ...cache, sharing: "locked", key, target });
  const crossed = await Promise.all([
    stage.run("sleep 0.1; echo a", { mounts: [locked("p", "/p"), locked("q", "/p/q")] }),
    other.run("sleep 0.1; echo b", { mounts: [locked("q", "/q"), locked("p", "/q/p")] }),
  ]);
  assert.deepEqual(
    crossed.map(({ out }) => out),
    ["a\n", "b\n"],
  );
});

testRungs("an abort leaves no mount, no process and no copy, and the cache as it was", async (_t, stage) => {
  const abort = new AbortController();
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const running = stage.run("touch /cache/early; sleep 86451 & echo up; sleep 86452", {
    mounts: [cache, { ...bind, writable: true }, tmpfs, secret]
      .map((mount, i) => ({ ...mount, target: `/m${i}` }))
      .map((mount) => (mount.kind === "cache" ? { ...mount, target: "/cache" } : mount)),
    signal: abort.signal,
    onOutput: () => setTimeout(() => abort.abort(new Error("enough")), 100),
  });
  await assert.rejects(running, /enough/);
  assert.deepEqual(processesNaming("8645[12]"), []);
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), mounts);
  // What others' directories hold is not for every user to see.
  const left = spawnSync("find", [join(stage.stateDir, "work"), "-name", "mount-*", "-o", "-name", "early"]).stdout.toString();
  assert.equal(left, "");
  const [caches = ""] = readdirSync(stage.stateDir).filter((name) => name.startsWith("caches"));
  const kept = readdirSync(join(stage.stateDir, caches), { recursive: true, encoding: "utf8" });
  assert.deepEqual(
    kept.filter((name) => name.endsWith("early")).map((name) => name.split("/").slice(2).join("/")),
    ["0/fs/early"],
  );
});

testRungs("a secret is on no disk and in no list of arguments while its command runs", async (_t, stage, rung) => {
  if (rung === "chroot-bare") return;
  const bytes = Buffer.from("very-s3cret-value");
  let found = "not looked";
  const env = ["PATH=/bin", `TOKEN=${bytes}`];
  await stage.run("echo up; sleep 1; cat /run/secrets/s >/dev/null", {
    mounts: [{ ...secret, bytes }],
    env,
    onOutput() {
      const files = execFileSync("sh", ["-c", 'grep -rl "$0" "$1" || true', bytes.toString(), stage.stateDir]).toString();
      const lines = readdirSync("/proc").flatMap((pid) => {
        try {
          return /^\d+$/.test(pid) && pid !== String(process.pid) ? [readFileSync(`/proc/${pid}/cmdline`, "latin1")] : [];
        } catch {
          return [];
        }
      });
      found = [files, ...lines.filter((line) => line.includes(bytes.toString()))].join("");
    },
  });
  assert.equal(found, "");
});
