// A user namespace with one id: whose files are stands in records, and a supervisor keeps them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { entry } from "../filesystem/entries.ts";
import { makeLayer } from "../filesystem/tar.ts";
import { sharedFolder } from "../support/shared.ts";
import { needsRoot } from "./root.ts";
import { openBase, openStage, type RunOptions } from "./stage.ts";

const user: RunOptions = { user: { uid: 1000, gid: 1001, groups: [] } };
const file = (path: string, attributes: object, text = "text") => ({
  entry: entry(path, "file", { size: text.length, ...attributes }),
  content: Buffer.from(text),
});

/** One after the other on the same stage. */
const rows: readonly {
  readonly name: string;
  readonly command: string;
  readonly options?: RunOptions;
  readonly shows?: string | RegExp;
  readonly changes?: readonly string[];
}[] = [
  { name: "what layers bring has its owner", command: "stat -c '%a %u:%g' /l/f /l/d /l/closed", shows: "4755 3:4\n2750 5:6\n0 0:0\n" },
  {
    name: "and keeps it where something else changes",
    command: "chmod 600 /l/f; echo more >>/l/closed",
    changes: ["directory 755 0:0 l", "file 0 0:0 l/closed", "file 600 3:4 l/f"],
  },
  {
    name: "links of layers too",
    command: "mv /l/link /l/moved",
    // Of one that is renamed nothing says whose it was.
    changes: ["directory 755 0:0 l", "file 0 0:0 l/.wh.link", "symlink 777 0:0 l/moved > f"],
  },
  {
    name: "what is given away is somebody's",
    command:
      "mkdir -p /g/d; touch /g/f; ln -s f /g/l; mkfifo /g/p; chown -R 33:44 /g; chgrp 5 /g/f; chown -h 1:2 /g/l; stat -c %u:%g /g /g/f",
    shows: "33:44\n33:5\n",
    changes: ["directory 755 33:44 g", "directory 755 33:44 g/d", "file 644 33:5 g/f", "symlink 777 1:2 g/l > f", "fifo 644 33:44 g/p"],
  },
  {
    name: "under another name as well",
    command: "ln -s x /n; chown -h 7:7 /n; mv /n /m; cp -a /g/f /c; mv /g/d /g/e",
    changes: ["file 644 33:5 c", "directory 755 33:44 g", "file 0 33:44 g/.wh.d", "directory 755 33:44 g/e", "symlink 777 7:7 m > x"].map(
      (line) => line.replace("file 0 33:44", "file 0 0:0"),
    ),
  },
  {
    name: "set-user-id bits go with an owner",
    command: "cp /bin/busybox /b; chmod 6755 /b; chown 1 /b; stat -c %a /b",
    shows: "755\n",
    changes: ["file 755 1:0 b"],
  },
  {
    name: "a directory hands its group on",
    command: "mkdir /s; chown 0:9 /s; chmod 2775 /s; touch /s/f; mkdir /s/d",
    changes: ["directory 2775 0:9 s", "directory 2755 0:9 s/d", "file 644 0:9 s/f"],
  },
  {
    name: "modes that would lock the builder out",
    command: "mkdir -p /k/d; echo a >/k/d/f; chmod 0 /k/d/f; chmod 555 /k/d; chmod 0 /k; stat -c %a /k /k/d /k/d/f",
    shows: "0\n555\n0\n",
    changes: ["directory 0 0:0 k", "directory 555 0:0 k/d", "file 0 0:0 k/d/f"],
  },
  {
    name: "are what they are to the next command, which may change them",
    command: "stat -c %a /k /k/d /k/d/f; chmod 640 /k/d/f; chown 3 /k",
    shows: "0\n555\n0\n",
    changes: ["directory 0 3:0 k", "directory 555 0:0 k/d", "file 640 0:0 k/d/f"],
  },
  {
    name: "devices are files that say so",
    command: "mknod -m 666 /null c 1 3; mknod /disk b 8 1; chown 0:6 /disk; stat -c '%F %t:%T' /null /disk",
    shows: "character special file 1:3\nblock special file 8:1\n",
    changes: ["block 644 0:6 disk", "char 666 0:0 null"],
  },
  { name: "and stay what they are", command: "chmod 600 /null; rm /disk", changes: ["file 0 0:0 .wh.disk", "char 600 0:0 null"] },
  {
    name: "somebody else's files are his",
    command: "id -u; id -g; cd /tmp; mkdir d; echo a >d/f; ln -s f d/l; chown 1000:1001 d/f; chown 0 d/f; stat -c %u:%g /etc/passwd d/f",
    options: user,
    shows: /^1000\n1001\n0:0\n1000:1001\n.*chown: .*Operation not permitted\n$/s,
    changes: ["directory 1777 0:0 tmp", "directory 755 1000:1001 tmp/d", "file 644 1000:1001 tmp/d/f", "symlink 777 1000:1001 tmp/d/l > f"],
  },
  {
    name: "in a root of its own",
    command:
      "mkdir -p /r/bin /r/lib /r/a; cp /bin/busybox /r/bin/; ln -s /a /r/link; chroot /r /bin/busybox chown 4:4 /link; rm -r /r/bin /r/lib",
    changes: ["directory 755 0:0 r", "directory 755 4:4 r/a", "symlink 777 0:0 r/link > /a"],
  },
  {
    name: "users seem to change",
    command: "su -s /bin/sh nobody -c 'id -u'; chown 1:1 /dev/stdout /proc/self/fd/1 && echo ok",
    shows: "0\nok\n",
    changes: [],
  },
  {
    name: "a capability of a layer is still there when something else changes",
    command: "chmod 711 /l/capable",
    changes: ["directory 755 0:0 l", "file 711 0:0 l/capable"],
  },
];

test("files have the owners that root would have given them", async (t) => {
  const base = needsRoot(t) ? openBase(t) : undefined;
  if (base === undefined) return;
  const xattrs = new Map([["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1")]]);
  const layer = makeLayer([
    { entry: entry("l", "directory") },
    file("l/f", { mode: 0o4755, uid: 3, gid: 4 }),
    { entry: entry("l/d", "directory", { mode: 0o2750, uid: 5, gid: 6 }) },
    file("l/closed", { mode: 0 }),
    { entry: entry("l/link", "symlink", { link: "f", uid: 7, gid: 7 }) },
    file("l/capable", { xattrs }),
  ]);
  const stage = await openStage(t, "userns-single", [base, layer]);
  await stage.run("true");
  for (const { name, command, options, shows, changes = [] } of rows) {
    await t.test(name, async () => {
      const ran = await stage.run(command, options);
      if (typeof shows === "string") assert.equal(ran.out + ran.err, shows);
      else if (shows !== undefined) assert.match(ran.out + ran.err, shows);
      assert.deepEqual(ran.changes, changes);
      const capable = ran.items.find((item) => item.entry.path === "l/capable");
      if (capable !== undefined) assert.deepEqual(capable.entry.xattrs, xattrs);
    });
  }
});

test("a plain user gets it, and nothing that he could not remove is left", async (t) => {
  const conformance = needsRoot(t) ? sharedFolder(t, "conformance") : undefined;
  if (conformance === undefined) return;
  const home = mkdtempSync(join(tmpdir(), "slipway-plain-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  chmodSync(home, 0o755);
  const base = join(home, "base.tar.gz");
  execFileSync(join(conformance, "make-base"), [base]);
  const state = join(home, "state");
  mkdirSync(state);
  chownSync(state, 65534, 65534);
  const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"];
  const program = fileURLToPath(new URL("plain-user.ts", import.meta.url));
  const answer = execFileSync("setpriv", [...asNobody, process.execPath, program, state, base], {
    env: {},
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { why, ...ran } = JSON.parse(answer.toString());
  assert.match(why, /^userns-single: a user namespace with one id, .*; ns: .*; userns: .*; chroot: it needs root, and this is uid 65534/);
  assert.deepEqual(ran, {
    out: "0 7:8 /d/a\n644 0:0 /d/n\n",
    err: "",
    changes: ["directory 500 7:8 d", "file 0 7:8 d/a", "char 644 0:0 d/n", "directory 755 0:0 proc", "directory 755 0:0 sys"],
    next: ["file 0 0:0 .wh.d", "directory 500 7:8 e", "file 0 7:8 e/a", "char 644 0:0 e/n"],
    code: 3,
  });
  assert.deepEqual(readdirSync(join(state, "work")), []);
});
