// Commands that mean no good, or know no better: each ends as it should, with its own code, and neither builder nor machine is harmed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { processesNaming } from "./root.ts";
import { type Rung, testRungs } from "./rungs.ts";
import type { Stage } from "./stage.ts";

interface Row {
  readonly name: string;
  /** A command that goes before. */
  readonly first?: string;
  readonly command: string | readonly string[];
  readonly code?: number;
  readonly out?: RegExp | number;
  readonly err?: RegExp;
  /** Lines of what is in the layer; a pattern for all of them. */
  readonly changes?: readonly string[] | RegExp;
  /** What the next command comes to; with all as it was if it is not given. */
  readonly next?: number;
}

/** Makes an ELF program for a machine that there is not. */
const foreign = `printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\2\\0\\064\\022\\1\\0\\0\\0' >/foreign; chmod +x /foreign`;

const rows: readonly Row[] = [
  {
    name: "a program for another machine",
    first: foreign,
    command: ["/foreign"],
    code: 126,
    err: /^exec: "\/foreign": not a program for this machine \(ENOEXEC\)\n$/,
  },
  {
    name: "everything is deleted",
    // Not /sys: of all that is there, each file by itself is refused.
    command: "rm -rf /[!ps]* /sbin /proc/self /proc/sys/kernel 2>/dev/null; true",
    changes: /^file 0 0:0 \.wh\.bin$/m,
    next: 127,
  },
  {
    name: "everything is unmounted",
    command: "umount -a; umount -l /proc; umount -l /dev; umount -l /; test -e /etc/passwd && test -e /bin/sh",
    err: /umount|^$/,
    changes: [],
  },
  {
    name: "links in the place of /proc, /sys and /dev",
    command: "for i in proc sys dev; do mv /$i /tmp/old-$i; rmdir /$i; ln -s /etc /$i; done 2>/dev/null; true",
    changes: /^(?!.*symlink 777 0:0 (proc|sys|dev) >)/s,
  },
  {
    name: "links in the place of the builder's files",
    command: "ln -sf /etc/passwd /etc/hosts; rm /etc/resolv.conf; ln -s /etc/shadow /etc/resolv.conf; true",
    err: /.*/,
    changes: [],
  },
  { name: "a full /dev/shm", command: "dd if=/dev/zero of=/dev/shm/x bs=1M count=80; true", err: /.*/, changes: [] },
  {
    name: "daemons",
    command: "for i in 1 2 3 4 5; do (trap '' TERM HUP; setsid sleep 86471 &) ; done; sleep 86472 & echo up",
    out: /^up\n$/,
    changes: [],
  },
  { name: "10 MB in one line", command: "head -c 10000000 /dev/zero | tr '\\0' x", out: 10_000_000, changes: [] },
  { name: "output to closed streams", command: "exec >&- 2>&-; echo x; exit 7", code: 7 },
  { name: "a command that stops itself and is ended by its child", command: "(sleep 0.3; kill -KILL $$) & kill -STOP $$", code: 137 },
];

testRungs("a command that does harm", async (t, stage, rung) => {
  const before = readFileSync("/proc/self/mountinfo", "utf8");
  const witness = join(stage.stateDir, "witness");
  writeFileSync(witness, "unharmed");
  await stage.run("true");
  for (const row of rows) {
    if (row.next !== undefined) continue;
    await t.test(row.name, () => tryRow(stage, row, rung));
  }
  for (const row of rows) if (row.next !== undefined) await t.test(row.name, () => tryRow(stage, row, rung));
  assert.equal(readFileSync(witness, "utf8"), "unharmed");
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), before);
  assert.deepEqual(processesNaming("8647[12]"), []);
});

async function tryRow(
  stage: Stage,
  { first, command, code = 0, out = /^$/, err = /^$/, changes, next = 0 }: Row,
  rung: Rung,
): Promise<void> {
  if (first !== undefined) await stage.run(first);
  const ran = await stage.run(command);
  assert.equal(ran.code, code, ran.err);
  if (typeof out === "number") assert.equal(ran.out.length, out);
  else assert.match(ran.out, out);
  assert.match(ran.err, err);
  if (changes instanceof RegExp) assert.match(ran.changes.join("\n"), changes);
  else if (changes !== undefined) assert.deepEqual(ran.changes, changes, rung);
  const after = await stage.run("echo well; test -d /proc; echo x >/dev/null");
  assert.equal(after.code, next, after.err);
}

const program = fileURLToPath(new URL("fork-bomb.ts", import.meta.url));

/** Processes and threads that there may be, the builder's own among them; a pid namespace has a bound of its own from Linux 6.14 on. */
const bound = 400;

testRungs("a command that makes processes without end", async (_t, stage, rung) => {
  // The shell stays, to reap what it inherits.
  const script = `{ echo ${bound} >/proc/sys/kernel/pid_max; } 2>/dev/null || exit 77; "$@"; exit $?`;
  const space = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
  const words = [...space, "sh", "-c", script, "sh", process.execPath, program, rung, join(stage.stateDir, "bomb")];
  const { stdout } = await promisify(execFile)("unshare", words, { timeout: 60_000 });
  const { most, lateMs, ...ended } = JSON.parse(stdout);
  // How many depends on how busy the machine is; the command alone would be two.
  assert.ok(most > 3, `${most} processes at most`);
  assert.ok(lateMs < 5000, `${lateMs} ms until all had ended`);
  assert.deepEqual(ended, { code: 3, afterLeft: 0, aborted: "enough", afterAbort: 0, next: "well\n" });
});
