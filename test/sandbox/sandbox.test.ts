// What every sandbox does alike: how commands start and end, what they find, and what of it comes into a layer.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { entry } from "../filesystem/entries.ts";
import { makeLayer } from "../filesystem/tar.ts";
import { needsRoot, processesNaming } from "./root.ts";
import { testRungs } from "./rungs.ts";
import { openBase, openStage, path, type RunOptions } from "./stage.ts";

interface Row {
  readonly name: string;
  readonly command: string | readonly string[];
  readonly options?: RunOptions;
  readonly code?: number;
  readonly signal?: string;
  readonly out?: string | RegExp;
  readonly err?: string | RegExp;
}

const user = { uid: 1000, gid: 1001, groups: [10, 33] };
const rows: readonly Row[] = [
  { name: "output and errors", command: "echo out; echo err >&2", out: "out\n", err: "err\n" },
  {
    name: "output through /dev by nobody special",
    command: "echo out >/proc/self/fd/1 || echo out",
    options: { user },
    out: "out\n",
    err: /.*/,
  },
  { name: "exit code", command: "exit 3", code: 3 },
  { name: "signal", command: "kill -TERM $$", code: 143, signal: "SIGTERM" },
  { name: "kill", command: "kill -9 $$", code: 137, signal: "SIGKILL" },
  { name: "environment and nothing else", command: ["env"], options: { env: [path, "A=b c", "Ü=ö"] }, out: `${path}\nA=b c\nÜ=ö\n` },
  { name: "empty input", command: "cat; tty", code: 1, out: "not a tty\n" },
  { name: "umask", command: "umask", out: "0022\n" },
  { name: "root", command: "id -u; id -g; id -G", out: "0\n0\n0\n" },
  { name: "user and groups", command: "id -u; id -g; id -G", options: { user }, out: "1000\n1001\n1001 10 33\n" },
  { name: "directory", command: "pwd", options: { cwd: "/var/www" }, out: "/var/www\n" },
  { name: "directory that the user may not enter", command: ["/bin/pwd"], options: { cwd: "/root", user }, out: "/root\n" },
  {
    name: "directory that is missing is made for the user",
    command: "pwd; stat -c '%a %u:%g' . ..",
    options: { cwd: "/new/deep", user },
    out: "/new/deep\n755 1000:1001\n755 1000:1001\n",
  },
  {
    name: "directory that is a file",
    command: "true",
    options: { cwd: "/etc/passwd" },
    code: 127,
    err: 'cannot enter the working directory "/etc/passwd": ENOTDIR\n',
  },
  { name: "program by PATH", command: ["busybox", "echo", "a b"], out: "a b\n" },
  { name: "program that PATH lacks", command: ["nope"], code: 127, err: 'exec: "nope": executable file not found in $PATH\n' },
  { name: "program that is missing", command: ["/nope"], code: 127, err: 'exec: "/nope": no such file in the image\n' },
  { name: "program without x", command: ["/etc/passwd"], code: 126, err: 'exec: "/etc/passwd": cannot be executed (EACCES)\n' },
  { name: "directory as a program", command: ["/etc"], code: 126, err: 'exec: "/etc": cannot be executed (EACCES)\n' },
  { name: "signals as they are at first", command: "trap; (trap - PIPE; yes | head -n 1) 2>&1", out: "y\n" },
  {
    name: "hosts",
    command: "grep -c localhost /etc/hosts; grep buildkitsandbox /etc/hosts",
    out: "2\n127.0.0.1\tlocalhost buildkitsandbox\n",
  },
  { name: "name servers of the machine", command: "cat /etc/resolv.conf", out: readFileSync("/etc/resolv.conf", "utf8") },
  {
    name: "devices",
    command:
      "head -c 3 /dev/zero | od -An -tx1; echo x >/dev/null; echo x >/dev/full; test $(head -c 9 /dev/urandom | wc -c) = 9 && echo random",
    out: " 00 00 00\nrandom\n",
    err: /.*/,
  },
];

testRungs("commands start and end as in a container", async (t, stage, rung) => {
  for (const { name, command, options, code = 0, signal, ...shown } of rows) {
    // Who is the only one in his namespace is in no other group.
    const { out = "", err = "" } = rung === "userns-single" && name === "user and groups" ? { out: "1000\n1001\n1001\n" } : shown;
    await t.test(name, async () => {
      const ran = await stage.run(command, options);
      const holds = (text: string, wanted: string | RegExp) =>
        typeof wanted === "string" ? assert.equal(text, wanted) : assert.match(text, wanted);
      holds(ran.err, err);
      holds(ran.out, out);
      assert.deepEqual([ran.code, ran.signal], [code, signal]);
    });
  }
});

testRungs("the first command leaves /proc and /sys, and none leaves what only commands see", async (_t, stage) => {
  const see = "cat /etc/hosts /etc/resolv.conf; ls /dev /proc /sys; touch /dev/x /dev/shm/x";
  assert.deepEqual((await stage.run(see)).changes, ["directory 755 0:0 proc", "directory 755 0:0 sys"]);
  assert.deepEqual((await stage.run(see)).changes, []);
  assert.deepEqual((await stage.run("stat -c %Y /etc")).out, "1700000000\n");
  assert.deepEqual((await stage.run("echo a >/etc/a")).changes, ["directory 755 0:0 etc", "file 644 0:0 etc/a"]);
});

testRungs("what an image has in the place of those files stays as it is", async (_t, stage) => {
  await stage.add(
    makeLayer([
      { entry: entry("etc/hosts", "file", { size: 4, mode: 0o600 }), content: Buffer.from("mine") },
      { entry: entry("etc/resolv.conf", "symlink", { link: "../run/there/resolv.conf" }) },
      { entry: entry("dev/mine", "file", { size: 4 }), content: Buffer.from("mine") },
    ]),
  );
  const ran = await stage.run("grep -q localhost /etc/hosts && cat /etc/resolv.conf");
  assert.equal(ran.code, 0);
  assert.deepEqual(ran.changes, ["directory 755 0:0 proc", "directory 755 0:0 sys"]);
  assert.deepEqual((await stage.run("true")).changes, []);
});

const changes: readonly (readonly [string, readonly string[]])[] = [
  ["true", []],
  ["chmod 700 /tmp", ["directory 700 0:0 tmp"]],
  ["touch -d @1700000000 /etc/passwd; cp -p /etc/passwd /x; mv /x /etc/passwd", []],
  [
    "rm /etc/shadow; rm -r /var/spool",
    ["directory 755 0:0 etc", "file 0 0:0 etc/.wh.shadow", "directory 755 0:0 var", "file 0 0:0 var/.wh.spool"],
  ],
  [
    "rm -r /usr; mkdir -p /usr/x",
    ["directory 755 0:0 usr", "file 0 0:0 usr/.wh.bin", "file 0 0:0 usr/.wh.sbin", "directory 755 0:0 usr/x"],
  ],
  ["rm -r /home; echo a >/home", ["file 644 0:0 home"]],
  ["rm /home; mkdir /home; ln -s b /home/a", ["directory 755 0:0 home", "symlink 777 0:0 home/a > b"]],
  ["echo a >/a; ln /a /b; mkfifo /c; rm /a", ["file 644 0:0 b", "fifo 644 0:0 c"]],
  ["echo a >/new; rm /new; chown 7:8 /b", ["file 644 7:8 b"]],
];

testRungs("a layer has what the command changed, and nothing else", async (t, stage) => {
  await stage.run("true");
  for (const [command, expected] of changes)
    await t.test(command, async () => assert.deepEqual((await stage.run(command)).changes, expected));
});

testRungs("a device goes into the layer, where the kernel lets it be made", async (_t, stage, rung) => {
  await stage.run("true");
  const { changes, err } = await stage.run("mknod /d c 1 3; true");
  assert.deepEqual(changes, rung === "userns" ? [] : ["char 644 0:0 d"]);
  assert.match(err, rung === "userns" ? /mknod: .*Operation not permitted/ : /^$/);
});

test("user namespaces make the layers that the machine's root makes", { skip: process.geteuid?.() !== 0 }, async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const commands = [
    "mkdir /d; echo a >/d/a; ln /d/a /d/b; ln -s a /d/c; mkfifo /d/f; chown -R 7:8 /d; chmod 4711 /d/a; touch -d @1700000000 /d /d/*",
    "rm -r /usr /home; mkdir /usr; echo a >/home; touch -d @1700000000 /usr /home /",
    "chmod 700 /capable /d/b; touch -d @1700000000 /capable /d /d/*",
    "rm -r /d; mkdir /d; touch -d @1700000000 /d/new /d",
  ];
  // CAP_NET_BIND_SERVICE, permitted and effective, as files have it that know of no user namespace.
  const xattrs = new Map([["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1")]]);
  const capable = makeLayer([{ entry: entry("capable", "file", { size: 4, xattrs }), content: Buffer.from("text") }]);
  const made = await Promise.all(
    (["ns", "userns", "userns-single"] as const).map(async (rung) => {
      const stage = await openStage(t, rung, [base, capable]);
      const layers: unknown[] = [];
      // The first leaves /proc and /sys, whose times are its own.
      await stage.run("true");
      for (const command of commands) {
        const { diffId, items } = await stage.run(command);
        layers.push(diffId, items.find((item) => item.entry.path === "capable")?.entry.xattrs);
      }
      return layers;
    }),
  );
  assert.deepEqual(made[0]?.[5], xattrs);
  assert.deepEqual(made[1], made[0]);
  assert.deepEqual(made[2], made[0]);
});

/** These rows may run for two users at a time. */
const ours = process.pid;

testRungs("what a command leaves running is gone when it ends", async (_t, stage) => {
  const started = Date.now();
  const ran = await stage.run(`(setsid sh -c 'sleep ${ours}421 & sleep ${ours}422' &) ; nohup sleep ${ours}423 & sleep 0.2; echo done`);
  assert.equal(ran.out, "done\n");
  assert.ok(Date.now() - started < 5000);
  assert.deepEqual(processesNaming(`${ours}42[123]`), []);
});

testRungs("an abort ends everything within 5 s, and the reason is the signal's", async (_t, stage) => {
  const abort = new AbortController();
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const running = stage.run(
    `trap '' TERM INT HUP; setsid sleep ${ours}424 & sleep ${ours}425 & echo up; while :; do sleep ${ours}426; done`,
    {
      signal: abort.signal,
      onOutput: () => setTimeout(() => abort.abort(new Error("enough")), 100),
    },
  );
  await assert.rejects(running, /enough/);
  assert.deepEqual(processesNaming(`${ours}42[456]`), []);
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), mounts);
});

testRungs("an image without a shell fails with a hint", async (t, _stage, rung) => {
  const ran = await (await openStage(t, rung, [])).run("echo a");
  assert.equal(ran.code, 127);
  assert.match(ran.err, /exec: "\/bin\/sh": no such file in the image; RUN in shell form needs a shell/);
});

testRungs("a missing interpreter is told from a missing program", async (_t, stage) => {
  await stage.run("printf '#!/no/such\\n' >/script; chmod +x /script; printf 'not a program' >/text; chmod +x /text");
  const script = await stage.run(["/script"]);
  assert.deepEqual([script.code, /interpreter/.test(script.err)], [127, true]);
  const text = await stage.run(["/text"]);
  assert.deepEqual([text.code, /ENOEXEC/.test(text.err)], [126, true]);
});

testRungs("an image with something else in the place of /proc is refused", async (t, _stage, rung) => {
  const stage = await openStage(t, rung, [makeLayer([{ entry: entry("proc", "symlink", { link: "/etc" }) }])]);
  await assert.rejects(stage.run("true"), /"\/proc": the image has something else than a directory there/);
});

testRungs("much output arrives whole", async (_t, stage) => {
  const { out } = await stage.run("head -c 3000000 /dev/zero | tr '\\0' x");
  assert.equal(out.length, 3_000_000);
});
