// What the supervisor serves to the commands of a plain chroot, and what it keeps from them.

import assert from "node:assert/strict";
import { release } from "node:os";
import { test } from "node:test";
import { tryAll } from "./battery.ts";
import { needsRoot, processesNaming } from "./root.ts";
import { openBase, openStage, type Stage } from "./stage.ts";

function testChroot(name: string, check: (stage: Stage) => Promise<void>): void {
  test(name, async (t) => {
    const base = needsRoot(t) ? openBase(t) : undefined;
    if (base !== undefined) await check(await openStage(t, "chroot", [base]));
  });
}

testChroot("a command finds what it would in a container", async (stage) => {
  assert.deepEqual(await tryAll(stage), []);
});

testChroot("without network there are sockets of the machine itself alone", async (stage) => {
  const { out, err } = await stage.run(
    "nc -w 1 127.0.0.1 1; ping -c 1 ::1; (nc -l local:/tmp/s -e echo met &) ; sleep 0.3; nc local:/tmp/s </dev/null; ls /sys/class/net",
    { network: "none" },
  );
  assert.match(err, /nc: socket.*: Network is unreachable\nping: .*Network is unreachable/);
  assert.match(out, /lo\n/);
});

testChroot("a command neither sees nor, from Linux 6.12 on, signals what is not its own", async (stage) => {
  const { out } = await stage.run(`ls -d /proc/${process.pid} /proc/1 /proc/$PPID; kill -0 $$ && echo mine`);
  assert.equal(out, "mine\n");
  const [major = 0, minor = 0] = release().split(".").map(Number);
  if (major < 6 || (major === 6 && minor < 12)) return;
  const { err } = await stage.run(`for i in ${process.pid} $PPID 1; do kill -0 $i; done`);
  assert.equal(err.match(/Operation not permitted/g)?.length, 3, err);
});

testChroot("when the supervisor is killed, so is the command", async (stage) => {
  const running = stage.run("echo $PPID; exec sleep 86441", { onOutput: (text) => process.kill(Number(text), "SIGKILL") });
  await assert.rejects(running, /the helper ended with SIGKILL/);
  for (let i = 0; i < 40 && processesNaming("86441").length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(processesNaming("86441"), []);
});

testChroot("a command that is refused root is told why", async (stage) => {
  const user = { uid: 1000, gid: 1000, groups: [] };
  assert.match(
    (await stage.run("su -c id", { user })).hint ?? "",
    /setuid programs .* which su needs, have no effect in the sandbox "chroot"/,
  );
  assert.equal((await stage.run("exit 3", { user })).hint, undefined);
});
