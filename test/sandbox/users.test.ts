// Builders that are not root: the same rows as for root, with the rights of another user.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { asUser, type Rights } from "./as-user.ts";
import { needsRoot, processesNaming } from "./root.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const everything = "slip ALL=(ALL) NOPASSWD: ALL";

interface Way {
  readonly name: string;
  readonly rung: "ns" | "userns";
  readonly rights: Rights;
}

const ways: readonly Way[] = [
  { name: "through sudo", rung: "ns", rights: { sudo: everything } },
  { name: "with subordinate ids", rung: "userns", rights: { ids: 65_536 } },
];

function run([program = "", ...args]: readonly string[], env: Record<string, string>): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { PATH: process.env.PATH, ...env }, maxBuffer: 1 << 26 };
    const child = execFile(program, args, options, (_, out, err) => resolve({ code: child.exitCode ?? 1, text: `${out}${err}` }));
  });
}

for (const { name, rung, rights } of ways) {
  for (const file of ["sandbox.test.ts"]) {
    test(`${rung} ${name} does what it does for root: ${file}`, async (t) => {
      if (!needsRoot(t)) return;
      const { folder, command } = asUser(t, rights);
      const tests = join(root, "test/sandbox", file);
      const { code, text } = await run(command(process.execPath, "--test", "--test-reporter=tap", tests), {
        TMPDIR: folder,
        SLIPWAY_TEST_RUNG: rung,
      });
      assert.equal(code, 0, text);
      assert.match(text, /^# pass [1-9]\d/m);
      if (file === "sandbox.test.ts") assert.deepEqual(readdirSync(folder), [], "nothing is left");
    });
  }

  test(`commands die with a builder that works ${name}, and what it had made is gone`, async (t) => {
    if (!needsRoot(t)) return;
    const { folder, command } = asUser(t, rights);
    const stateDir = join(folder, "state");
    mkdirSync(stateDir);
    chmodSync(stateDir, 0o777);
    const program = fileURLToPath(new URL("killed-builder.ts", import.meta.url));
    const [first = "", ...args] = command(process.execPath, program, rung, stateDir);
    const builder = spawn(first, args, { stdio: ["ignore", "pipe", "inherit"], env: { PATH: process.env.PATH, TMPDIR: folder } });
    t.after(() => builder.kill("SIGKILL"));
    await waitForOutput(builder);
    builder.kill("SIGKILL");
    await settle(() => processesNaming("8643[12]").length === 0 && readdirSync(join(stateDir, "work")).length === 0);
    assert.deepEqual(processesNaming("8643[12]"), []);
    assert.deepEqual(readdirSync(join(stateDir, "work")), []);
  });
}

async function waitForOutput({ stdout }: ChildProcess): Promise<void> {
  if (stdout !== null) await once(stdout, "data");
}

async function settle(isSettled: () => boolean): Promise<void> {
  for (const until = Date.now() + 8000; !isSettled() && Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 50));
}

test("what a build has left that was ended together with its helper is swept by the next", async (t) => {
  if (!needsRoot(t)) return;
  const { folder, command } = asUser(t, { sudo: everything });
  const stateDir = join(folder, "state");
  const [old, young] = ["old", "young"].map((name) => join(stateDir, "work", `deputy-${name}`)) as [string, string];
  for (const directory of [old, young]) mkdirSync(join(directory, "root"), { recursive: true, mode: 0o700 });
  writeFileSync(join(old, "root/file"), "root's");
  utimesSync(old, 1, 1);
  for (const directory of [stateDir, join(stateDir, "work")]) chmodSync(directory, 0o777);
  await run(command(process.execPath, join(root, "src/main.ts"), "doctor", "--state-dir", stateDir), { TMPDIR: folder });
  assert.deepEqual([existsSync(old), existsSync(young)], [false, true]);
});

const refusals: readonly {
  readonly name: string;
  readonly rights: Rights;
  readonly flags?: readonly string[];
  readonly says: readonly RegExp[];
}[] = [
  {
    name: "a password, and no ids",
    rights: {},
    says: [
      /ns .*it needs root, and this is uid 4711, and sudo -n fails: sudo: a password is required/,
      /"\/etc\/subuid" has no range for "slip" \(uid 4711\)/,
    ],
  },
  {
    name: "sudo that wants a terminal",
    rights: { sudo: `Defaults:slip requiretty\n${everything}` },
    says: [/sudo -n fails: sudo: sorry, you must have a tty to run sudo/, /take requiretty from the sudoers file/],
  },
  { name: "sudo that is not to be asked", rights: { sudo: everything }, flags: ["--no-sudo"], says: [/uid 4711, and --no-sudo was given/] },
  { name: "too few ids", rights: { ids: 1000 }, says: [/"\/etc\/subuid" has 1000 ids for "slip" \(uid 4711\), and 65536 are needed/] },
];

test("what a user lacks is said", async (t) => {
  if (!needsRoot(t)) return;
  for (const { name, rights, flags = [], says } of refusals)
    await t.test(name, async (t) => {
      const { folder, command } = asUser(t, rights);
      const { code, text } = await run(command(process.execPath, join(root, "src/main.ts"), "doctor", ...flags), { TMPDIR: folder });
      for (const pattern of says) assert.match(text, pattern);
      assert.match(text, /RUN: runs in userns-single/);
      assert.equal(code, 0);
      assert.deepEqual(readdirSync(folder), []);
    });
});

test("without rights to become another user newuidmap's own words are told", async (t) => {
  if (!needsRoot(t)) return;
  const { folder, command } = asUser(t, { ids: 65_536 });
  const words = command("setpriv", "--no-new-privs", process.execPath, join(root, "src/main.ts"), "doctor");
  const { text } = await run(words, { TMPDIR: folder });
  assert.match(text, /newuidmap: write to uid_map failed: Operation not permitted/);
  assert.match(text, /newuidmap and newgidmap must be setuid root, without no_new_privs/);
  assert.match(text, /sudo -n fails: sudo: The "no new privileges" flag is set/);
});

for (const options of ["Defaults use_pty", "Defaults closefrom_override", "Defaults !env_reset"]) {
  test(`sudo with "${options}" will do`, async (t) => {
    if (!needsRoot(t)) return;
    const { folder, command } = asUser(t, { sudo: `${options}\n${everything}` });
    const { text } = await run(command(process.execPath, join(root, "src/main.ts"), "doctor"), { TMPDIR: folder });
    assert.match(text, /RUN: runs in ns/);
    assert.deepEqual(readdirSync(folder), []);
  });
}
